package bind

import (
	"path"
	"slices"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// ExternalData is what a query asks for with externaldata.
type ExternalData struct {
	Columns []rel.Column
	// URIs are the addresses as written, one after the other.
	URIs []string
	// Format is one of csv, tsv, psv, scsv, sohsv, txt, raw, json, multijson; the compression follows from
	// the address.
	Format string
	// IgnoreFirstRecord says that each file begins with a line of names.
	IgnoreFirstRecord bool
}

// externalFormats are the formats that can be read. Avro, Parquet, ORC and W3C logs are not among them.
var externalFormats = [...]string{"csv", "tsv", "psv", "scsv", "sohsv", "txt", "raw", "json", "multijson"}

// fetch is what one externaldata expression gave; it is asked once however often it is bound.
type fetch struct {
	rows *rel.Values
	err  error
}

// externalData binds externaldata(columns)[uris] with (properties): it becomes a table of constants.
func (b *binder) externalData(s *syntax.ExternalData, sc *scope) *table {
	want := ExternalData{Columns: b.declared(s.Columns)}
	out := &table{rel: &rel.Values{Cols: want.Columns}}
	if len(want.Columns) == 0 || len(want.Columns) != len(s.Columns) {
		return openTable()
	}
	for _, u := range s.URIs {
		text, ok := b.constantText(u, sc)
		if !ok {
			b.errorf(NotConstant, u, "write the address as a literal text", "an address of externaldata is not known when the query is compiled")
			return out
		}
		want.URIs = append(want.URIs, text)
	}
	if len(want.URIs) == 0 {
		b.errorf(WrongArguments, s, `write externaldata(…)["https://…"]`, "externaldata has no address")
		return out
	}
	for _, p := range s.With {
		switch strings.ToLower(p.Name) {
		case "format":
			want.Format = strings.ToLower(p.Word())
			if !slices.Contains(externalFormats[:], want.Format) {
				b.errorf(Unsupported, p, "there are: "+strings.Join(externalFormats[:], ", "), "externaldata cannot read the format %s", p.Word())
				return out
			}
		case "ignorefirstrecord":
			want.IgnoreFirstRecord = strings.EqualFold(p.Word(), "true")
		default:
			b.errorf(Unsupported, p, "", "the property %s of externaldata is not supported", p.Name)
			return out
		}
	}
	if want.Format == "" {
		want.Format = formatOf(want.URIs[0])
	}
	if want.Format == "raw" && (len(want.Columns) != 1 || want.Columns[0].Type != value.String) {
		b.errorf(WrongArguments, s, "declare one column of type string", "the format raw gives each file as one text")
		return out
	}
	if b.o.External == nil {
		b.errorf(External, s, "have the address allowed in the configuration (query.external), or keep the data as a watchlist", "this query may not read %s: nothing outside is allowed", want.URIs[0])
		return out
	}
	f, ok := b.fetched[s]
	if !ok {
		f = &fetch{}
		f.rows, f.err = b.o.External(want)
		b.fetched[s] = f
	}
	if f.err != nil {
		b.errorf(External, s, "", "externaldata: %s", f.err)
		return out
	}
	return &table{rel: f.rows}
}

// formatOf gives the format by the end of an address; what says nothing is csv, as in Kusto.
func formatOf(uri string) string {
	uri, _, _ = strings.Cut(uri, "?")
	uri, _, _ = strings.Cut(uri, ";")
	uri = strings.TrimSuffix(strings.ToLower(uri), ".gz")
	ext := strings.TrimPrefix(path.Ext(uri), ".")
	if slices.Contains(externalFormats[:], ext) {
		return ext
	}
	return "csv"
}
