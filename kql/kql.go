// Package kql compiles KQL to SQL.
//
// Compile reads a query's text, finds its tables and columns in a catalog, and gives a Program: the
// SQL for DuckDB, the columns of the result, and what the rest of Glassward asks about a query
// (which records can matter to it, whether it looks at one record at a time). It never runs anything
// and needs no engine. The language is Microsoft's, https://learn.microsoft.com/kusto/query/.
package kql

import (
	"glassward/kql/bind"
	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// Catalog gives the stored tables. Names are matched with regard to case.
type Catalog interface {
	Table(name string) (*rel.Table, bool)
	TableNames() []string
}

// Watchlist is what _GetWatchlist('Name') gives: constants known when compiling. Cells are nil, bool,
// int64, float64 or string; a datetime is int64 ticks or text that value.ParseDateTime reads. The
// first column is the search key and is also given as SearchKey.
type Watchlist struct {
	Columns []rel.Column
	Rows    [][]any
}

// Window says which records of the stored tables a query sees.
type Window uint8

// The windows. ByTime: TimeGenerated >= $from and < $to. BySeq: _Seq > $seq_from and <= $seq_to.
const (
	AllRecords Window = iota
	ByTime
	BySeq
)

// Options are what a query is compiled against.
type Options struct {
	Catalog    Catalog
	Watchlists map[string]*Watchlist
	Window     Window
	// Few says that the query will read few records, as those that came in one request. It is written to be
	// planned fast then, not to read fast: nothing tries a condition in a cheaper way before.
	Few bool
	// Lineage adds to every row the ids of the records that caused it (Result.Lineage).
	Lineage bool
	// File names the source in diagnostics.
	File string
	// Placeholders give the values of {{name}} in the text: bool, int64, float64, string, value.Ticks,
	// value.Span, or []string for a list. They are values, never text of the query; within a string their
	// text is part of that string. {{StartTimeISO}} and {{EndTimeISO}}, which Sentinel's hunting queries
	// use, need none: they are the window's bounds, and without a window 1970 and now.
	Placeholders map[string]any
	// Parameters are what is given for the parameters that the text declares with declare
	// query_parameters(…), by name: literals of KQL ("long(5)", "datetime(2026-01-31)"), or the bare text of
	// one. They are values, never text of the query. A name that the text does not declare has no effect.
	Parameters map[string]string
	// Addresses says that the engine has a database of addresses: it knows eval.AddressFunction. Without
	// it geo_info_from_ip_address is refused.
	Addresses bool
	// Functions are the stored functions that the query may use; nil for none.
	Functions *Functions
	// External gives the rows for externaldata, fetched before the query runs; cells as in Watchlist.
	// Whether an address is allowed is its to say; without it every one is refused.
	External func(ExternalData) ([][]any, error)
	// Workspace gives the tables of workspace("name") and database("name") if the caller may read
	// them; without it every name is refused.
	// A table that lies in another workspace says so (rel.Table.Workspace), and is read there: see
	// Program.Elsewhere.
	Workspace func(name string) (Catalog, bool)
	// Beside are the tables of workspaces that are read together with those of Catalog: a name means
	// the rows of all that have it.
	Beside []Catalog
	// Explore runs a small program now and gives its result: it is asked for the columns that only the
	// data know, as of bag_unpack and pivot. It must run with the Bind that the query itself will run
	// with, read-only and within limits. Without it the columns that the rest of the query names are taken
	// to be there, and a query that names none of them is refused with the code DataColumns.
	Explore func(p *Program) (*Result, error)
}

// ExternalData is what a query asks for with externaldata.
type ExternalData = bind.ExternalData

// DataColumns is the code of the error that a query whose columns depend on the data meets where there
// is no Options.Explore.
const DataColumns = bind.DataColumns

// Program is a compiled query.
//
// A text may give several tables: its statements each give one, and the operators fork and facet several. The Program
// is the first of them; More holds the others, each a Program of its own that runs by itself, in order.
type Program struct {
	// Name is the table's name where fork or facet gives it one, else "".
	Name string
	// More are the further tables of the text. They have no More of their own.
	More []*Program
	// Columns are the columns of the result, without hidden ones.
	Columns []rel.Column
	// SQL is the query for DuckDB. With Options.Lineage its result has two more columns at the end:
	// the record ids as a list of texts (at most MaxLineage), and whether there were more.
	SQL string
	// Params are those of now, from, to, seq_from, seq_to that SQL names as $now and so on.
	Params []string
	// Args are further named parameters with their values; nil if there are none.
	Args map[string]any
	// Tables are the stored tables that the query reads, sorted.
	Tables []string
	// Prefilters tell which records can matter: a record can cause a result row only if one of the
	// prefilters of its table accepts it. Several prefilters of one table are alternatives.
	Prefilters []Prefilter
	// NotLocal is nil if every result row depends on one record alone, so that the query may judge
	// records as they arrive (NRT); else it says where and why not.
	NotLocal *diag.Diagnostic
	// Barren says that the query surely gives no row where there is no record. One that is not may give
	// none as well.
	Barren bool
	// Lineage says that the result carries record ids.
	Lineage bool
	// Elsewhere are parts of the query that other workspaces work out first; nil where the query reads
	// no other. Their rows are given to the Program by Bind.Rows.
	Elsewhere []Elsewhere
	// Render says how the result is to be drawn, nil where the query does not say.
	Render *Render
	// MaxRows and MaxBytes are the limits that the text sets for all of its tables together, with
	// truncationmaxrecords and truncationmaxsize; 0 is none.
	MaxRows, MaxBytes int64
}

// An Elsewhere is a part of a query that the tables of one other workspace give.
type Elsewhere struct {
	// Workspace is where it runs, as rel.Table.Workspace has it.
	Workspace string
	// Table is the name under which the Program reads its rows. Its columns are those of this Program,
	// with the names c1, c2 and so on.
	Table   string
	Program *Program
}

// A Render says how a result is to be drawn, as the operator render does.
type Render struct {
	// Chart is the kind: table, timechart, barchart.
	Chart string
	// Properties are those of with (…), by their names in lower case: kind, title, xcolumn, ycolumns. Several
	// values stand side by side with a comma.
	Properties map[string]string
	// Sorted says that the rows come in an order that the query gives them.
	Sorted bool
}

// MaxLineage is how many record ids a result row carries at most.
const MaxLineage = 1000

// CondOp is how a Condition compares.
type CondOp uint8

// The comparisons: Equals and EqualsFold (without regard to case) compare the column's text; Contains
// and ContainsFold look for the value anywhere in it, HasFold as MayHave does. A number or bool is compared by its
// text.
const (
	Equals CondOp = iota
	EqualsFold
	Contains
	ContainsFold
	HasFold
)

// Prefilter accepts a record of Table if each of Conditions holds; without Conditions it accepts all.
type Prefilter struct {
	Table      string
	Conditions []Condition
}

// Condition holds for a record if one of Values equals, or is contained in, Column. One without Values,
// whose Column is empty, holds for none.
type Condition struct {
	Column string
	Op     CondOp
	Values []string
}

// Bind gives the values of Program.Params.
type Bind struct {
	Now, From, To value.Ticks
	SeqFrom       int64
	SeqTo         int64
	// Rows are the results of the Programs of Elsewhere.
	Rows map[*Program]*Result
}

// Value gives the value of a parameter by the name that Program.Params has.
func (b Bind) Value(name string) (int64, bool) {
	switch name {
	case "now":
		return int64(b.Now), true
	case "from":
		return int64(b.From), true
	case "to":
		return int64(b.To), true
	case "seq_from":
		return b.SeqFrom, true
	case "seq_to":
		return b.SeqTo, true
	}
	return 0, false
}

// Result is what running a Program gives. Cells are nil, bool, int64, float64 or string: datetime and
// timespan are int64 ticks, decimal, guid and dynamic are text.
type Result struct {
	// Name and More are those of the Program: More has the further tables of the text, in order.
	Name    string
	More    []*Result
	Columns []rel.Column
	Rows    [][]any
	// Lineage has the record ids of each row if the Program carries them; LineageOverflow says where
	// there were more than MaxLineage.
	Lineage         [][]string
	LineageOverflow []bool
	// Truncated says that rows are missing because a limit was reached: MaxRows records or MaxBytes bytes,
	// of which the other is 0.
	Truncated bool
	MaxRows   int64
	MaxBytes  int64
	// Render is that of the Program.
	Render *Render
}

// Accepts says whether a record can cause a result row as far as the prefilter knows. cell gives the
// text of a column, "" if it is empty or unknown.
func (p *Prefilter) Accepts(cell func(column string) string) bool {
	for i := range p.Conditions {
		if len(p.Conditions[i].Values) == 0 || !p.Conditions[i].holds(cell(p.Conditions[i].Column)) {
			return false
		}
	}
	return true
}
