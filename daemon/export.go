package daemon

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"glassward"
	"glassward/backup"
	"glassward/console"
	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
	"glassward/state"
)

// An Export is what a customer takes along: everything that is kept of one
// tenant, in forms that need no Glassward to be read.
type Export struct {
	// Tenant is the tenant's id, Name what people call it, File its file, empty
	// where it has none any more.
	Tenant, Name, File string
	// Rejects is the file of what was not understood; it need not exist.
	Rejects string
	Store   *logstore.Store
	State   *state.Store
	// Program is the version of Glassward.
	Program string
	Now     func() time.Time
}

// An ExportManifest says what an export holds, by the file manifest.json in it.
type ExportManifest struct {
	Tenant  string    `json:"tenant"`
	Name    string    `json:"name,omitempty"`
	Taken   time.Time `json:"taken"`
	Program string    `json:"program"`
	// Records are up to this sequence number, Head is the journal's last entry.
	LastSeq int64        `json:"lastSequence"`
	Head    state.Mark   `json:"journalHead"`
	Files   []ExportFile `json:"files"`
}

// An ExportFile is one file of an export but the manifest.
type ExportFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Lines counts those of a file of lines.
	Lines int64 `json:"lines,omitempty"`
}

// Write writes the export as a zip. It reads page by page, so that its memory
// does not grow with what there is, and sees what comes while it reads. What the
// control store holds is read first: every record that an incident names is then
// in what follows, unless retention has removed it.
func (e Export) Write(ctx context.Context, to io.Writer) (ExportManifest, error) {
	x := &exporting{Export: e, zip: zip.NewWriter(to)}
	x.manifest = ExportManifest{Tenant: e.Tenant, Name: e.Name, Taken: e.Now().UTC(), Program: e.Program}
	var err error
	if x.manifest.Head, err = e.State.Head(ctx); err != nil {
		return x.manifest, err
	}
	for _, step := range []func(context.Context) error{x.readme, x.file, x.incidents, x.notices, x.expectations, x.alerts, x.journal, x.rules, x.records, x.rejects} {
		if err := step(ctx); err != nil {
			return x.manifest, fmt.Errorf("export tenant %s: %w", e.Tenant, err)
		}
	}
	text, err := json.MarshalIndent(x.manifest, "", "  ")
	if err != nil {
		return x.manifest, err
	}
	f, err := x.zip.Create("manifest.json")
	if err != nil {
		return x.manifest, err
	}
	_, err = f.Write(append(text, '\n'))
	return x.manifest, errors.Join(err, x.zip.Close())
}

// exporting is one Write.
type exporting struct {
	Export
	zip      *zip.Writer
	manifest ExportManifest
	// versions are the rules that alerts name; spool holds the bytes of records
	// while their rows are written.
	versions map[[3]string]bool
	spool    *os.File
	catalog  *schema.Catalog
}

// put adds a file to the zip.
func (x *exporting) put(name string, write func(*lines) error) error {
	f, err := x.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: x.manifest.Taken})
	if err != nil {
		return err
	}
	hash := sha256.New()
	l := &lines{out: bufio.NewWriterSize(io.MultiWriter(f, hash), 64<<10)}
	if err := errors.Join(write(l), l.out.Flush()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	x.manifest.Files = append(x.manifest.Files, ExportFile{Name: name, Bytes: l.bytes, SHA256: hex.EncodeToString(hash.Sum(nil)), Lines: l.n})
	return nil
}

// lines writes one file of an export.
type lines struct {
	out      *bufio.Writer
	n, bytes int64
}

// Write writes bytes that are no line of JSON.
func (l *lines) Write(p []byte) (int, error) {
	n, err := l.out.Write(p)
	l.bytes += int64(n)
	return n, err
}

// line writes a value as a line of JSON.
func (l *lines) line(v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	l.n++
	_, err := l.Write(text.Bytes())
	return err
}

func (x *exporting) readme(context.Context) error {
	return x.put("README.txt", func(l *lines) error {
		_, err := fmt.Fprintf(l, exportReadme, x.Tenant, x.manifest.Taken.Format(time.RFC3339), x.Program)
		return err
	})
}

const exportReadme = `Everything that Glassward keeps of tenant %[1]s
Taken %[2]s by glassward %[3]s.

tenant.yaml        the tenant's file. Secrets are not in it: it names the
                   variables and files that hold them (env:, file:).
records/           one file a table, a record a line, in the columns of Log
                   Analytics. _TimeReceived, _Source and _Provenance say when and
                   by which road a record came, _ItemId is its identity here,
                   _Extra holds properties that have no column.
own/               the tables that Glassward writes itself, in the same form: who
                   queried and changed what, and how the roads stood.
raw/records.ndjson records byte for byte as they came (base64), as far as they
                   are kept so: about the emergency accounts, and directory audits.
raw/evidence.ndjson the records that alerts name, byte for byte, by their SHA-256.
incidents.ndjson   incidents with their timeline, notices, and what became of every
                   attempt to deliver them.
notices.ndjson     the latest notices about no incident: the weekly word, what was
                   declared and came as expected.
expectations.ndjson what was declared to be expected of the emergency accounts, by
                   whom, and the records that showed that it came.
alerts.ndjson      alerts with the ids (_ItemId) of the records that caused them.
rules/             the words of every rule version that made one of the alerts.
journal.ndjson     this tenant's entries of the evidence journal. Each entry's hash
                   covers the one before it, which may be another tenant's: the
                   hash of each entry can be computed anew from its own fields, the
                   whole chain can be followed only where all of it is.
rejects.ndjson     what was not understood when it came, with the reason.
manifest.json      every file with its size and SHA-256.

To have the records in a Glassward again:

  glassward ingest --tenant %[1]s records/*.ndjson

Each record has the id that it had. own/ is not taken in: those tables are written
by Glassward alone. The files are plain JSON lines, for any other tool as well.
`

// file adds the tenant's file. It names secrets and holds none: one that does is
// not loaded, and has no tenant to be exported.
func (x *exporting) file(context.Context) error {
	if x.File == "" {
		return nil
	}
	text, err := os.ReadFile(x.File)
	if err != nil {
		return err
	}
	return x.put("tenant.yaml", func(l *lines) error {
		_, err := l.Write(text)
		return err
	})
}

// An exportedIncident is a line of incidents.ndjson.
type exportedIncident struct {
	glassward.Incident
	Notices    []glassward.Notice     `json:"notices"`
	Deliveries []state.DeliveryReport `json:"deliveries"`
	// Cut says that there are more notices or deliveries than are read at once.
	Cut bool `json:"cut,omitempty"`
}

// mostDeliveries is how many notices and deliveries of an incident are read.
const mostDeliveries = 1000

func (x *exporting) incidents(ctx context.Context) error {
	return x.put("incidents.ndjson", func(l *lines) error {
		after := ""
		for {
			page, next, err := x.State.Incidents(ctx, state.IncidentFilter{Tenants: []string{x.Tenant}, After: after, Limit: 100})
			if err != nil {
				return err
			}
			for _, inc := range page {
				out := exportedIncident{Incident: inc}
				if out.Timeline, err = x.State.Timeline(ctx, x.Tenant, inc.Number); err != nil {
					return err
				}
				if out.Notices, err = x.State.Notices(ctx, x.Tenant, inc.Number, mostDeliveries); err != nil {
					return err
				}
				if out.Deliveries, err = x.State.Deliveries(ctx, x.Tenant, inc.Number); err != nil {
					return err
				}
				out.Cut = len(out.Notices) >= mostDeliveries || len(out.Deliveries) >= mostDeliveries
				if err := l.line(out); err != nil {
					return err
				}
			}
			if after = next; after == "" {
				return nil
			}
		}
	})
}

// notices adds the notices that stand in no incident, the latest of very many.
func (x *exporting) notices(ctx context.Context) error {
	list, err := x.State.Notices(ctx, x.Tenant, 0, mostDeliveries)
	if err != nil {
		return err
	}
	return x.put("notices.ndjson", func(l *lines) error {
		for _, n := range list {
			if err := l.line(n); err != nil {
				return err
			}
		}
		return nil
	})
}

func (x *exporting) expectations(ctx context.Context) error {
	return x.put("expectations.ndjson", func(l *lines) error {
		after := ""
		for {
			list, err := x.State.ExpectationsAfter(ctx, x.Tenant, after, 100)
			if err != nil || len(list) == 0 {
				return err
			}
			for _, e := range list {
				if err := l.line(e); err != nil {
					return err
				}
			}
			after = list[len(list)-1].ID
		}
	})
}

// eachAlert calls f with every alert of the tenant, its records with it.
func (x *exporting) eachAlert(ctx context.Context, f func(glassward.Alert) error) error {
	after := ""
	for {
		page, next, err := x.State.Alerts(ctx, state.AlertFilter{Tenant: x.Tenant, After: after, Limit: 100})
		if err != nil {
			return err
		}
		for _, a := range page {
			whole, err := x.State.Alert(ctx, x.Tenant, a.ID)
			if err == nil {
				err = f(whole)
			}
			if err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func (x *exporting) alerts(ctx context.Context) error {
	x.versions = map[[3]string]bool{}
	err := x.put("alerts.ndjson", func(l *lines) error {
		return x.eachAlert(ctx, func(a glassward.Alert) error {
			x.versions[[3]string{a.RuleID, a.RuleVersion, a.QueryHash}] = true
			ids := make([]string, len(a.Records))
			for i, id := range a.Records {
				ids[i] = id.String()
			}
			return l.line(struct {
				glassward.Alert
				Records []string `json:"recordIds"`
			}{a, ids})
		})
	})
	if err != nil {
		return err
	}
	// The same record may be named by many alerts; its bytes are written once.
	written := map[[32]byte]bool{}
	return x.put("raw/evidence.ndjson", func(l *lines) error {
		return x.eachAlert(ctx, func(a glassward.Alert) error {
			for _, id := range a.Records {
				list, err := x.State.Evidence(ctx, x.Tenant, id)
				if err != nil {
					return err
				}
				for _, raw := range list {
					sum := sha256.Sum256(raw)
					if written[sum] {
						continue
					}
					written[sum] = true
					if err := l.line(exportedRaw{Record: id.String(), SHA256: hex.EncodeToString(sum[:]), Bytes: raw}); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
}

// An exportedRaw is a record byte for byte.
type exportedRaw struct {
	Record   string    `json:"record"`
	Received time.Time `json:"received,omitzero"`
	SHA256   string    `json:"sha256"`
	Bytes    []byte    `json:"bytes"`
}

func (x *exporting) journal(ctx context.Context) error {
	return x.put("journal.ndjson", func(l *lines) error {
		var after int64
		for {
			page, err := x.State.Journal(ctx, after, 1000)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, entry := range page {
				if entry.Tenant == x.Tenant {
					if err := l.line(entry); err != nil {
						return err
					}
				}
			}
			after = page[len(page)-1].Seq
		}
	})
}

func (x *exporting) rules(ctx context.Context) error {
	keys := make([][3]string, 0, len(x.versions))
	for k := range x.versions {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [3]string) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		r, err := x.State.RuleVersion(ctx, k[0], k[1], k[2])
		if errors.Is(err, state.ErrNotFound) {
			continue // Glassward's own alarms come from no rule file
		}
		if err != nil {
			return err
		}
		name := fmt.Sprintf("rules/%s-%s-%.8s.yaml", plainName(r.ID), plainName(r.Version), r.QueryHash)
		if err := x.put(name, func(l *lines) error {
			_, err := io.WriteString(l, r.Text)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// plainName keeps of a text what may stand in a file's name anywhere.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, s)
}

// Bounds of a page of records.
const (
	pageNumbers = 4096 // sequence numbers to begin with
	pageRecords = 20_000
	pageBytes   = 32 << 20
	pageMost    = 1 << 30 // of a record alone
	pageTime    = 10 * time.Minute
)

// records adds every table. Pages are ranges of sequence numbers: a record that
// becomes fuller meanwhile moves to the end, and is read there.
func (x *exporting) records(ctx context.Context) error {
	stats, err := x.Store.Stats(ctx)
	if err != nil {
		return err
	}
	// A zip has one file open at a time, and the bytes of records are found by the
	// ids that go by: they wait in a file of their own.
	if x.spool, err = os.CreateTemp("", "glassward-export-"); err != nil {
		return err
	}
	defer func() {
		_ = x.spool.Close() // it is removed
		_ = os.Remove(x.spool.Name())
	}()
	raws := &lines{out: bufio.NewWriterSize(x.spool, 64<<10)}
	// Of the tenant's own tables those, too, that its file does not declare any more.
	set, err := x.Store.Schema(ctx)
	if err != nil {
		return err
	}
	x.catalog = set.Catalog()
	for _, table := range set.Tables() {
		if !table.Custom && !slices.ContainsFunc(stats.Tables, func(t logstore.TableStats) bool { return t.Name == table.Name }) {
			continue
		}
		folder := "records/"
		if table.Internal {
			folder = "own/"
		}
		if err := x.put(folder+table.Name+".ndjson", func(l *lines) error { return x.table(ctx, table.Name, l, raws) }); err != nil {
			return err
		}
	}
	if err := raws.out.Flush(); err != nil {
		return err
	}
	if _, err := x.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return x.put("raw/records.ndjson", func(l *lines) error {
		l.n = raws.n
		_, err := io.Copy(l, x.spool)
		return err
	})
}

func (x *exporting) table(ctx context.Context, name string, l, raws *lines) error {
	program, list := kql.Compile(name, kql.Options{Catalog: x.catalog, Window: kql.BySeq, File: "export"})
	if list.HasErrors() {
		return list[0]
	}
	item := slices.IndexFunc(program.Columns, func(c rel.Column) bool { return c.Name == "_ItemId" })
	var from, head int64
	step := int64(pageNumbers)
	for {
		if from >= head {
			last, err := x.Store.LastSeq(ctx)
			if err != nil {
				return err
			}
			if last <= from {
				x.manifest.LastSeq = max(x.manifest.LastSeq, last)
				return nil
			}
			head = last
		}
		to := min(from+step, head)
		limits := logstore.Limits{Class: logstore.Interactive, Timeout: pageTime, MaxRows: pageRecords, MaxBytes: pageBytes}
		if to == from+1 {
			limits.MaxBytes = pageMost
		}
		page, err := x.Store.Run(ctx, program, kql.Bind{Now: value.FromTime(x.Now()), SeqFrom: from, SeqTo: to}, limits)
		if err != nil {
			return err
		}
		if page.Truncated && to > from+1 {
			step = max(1, (to-from)/2)
			continue
		}
		var ids []glassward.RecordID
		for _, row := range page.Rows {
			if err := l.row(page.Columns, row); err != nil {
				return err
			}
			if text, ok := row[item].(string); ok {
				id, err := recordID(text)
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
		}
		if err := x.raw(ctx, ids, raws); err != nil {
			return err
		}
		from = to
		// Other tables have the other numbers: what is sparse goes by larger steps.
		if len(page.Rows) < pageRecords/4 {
			step = min(2*step, 1<<40)
		}
	}
}

// raw adds the bytes that are kept of records.
func (x *exporting) raw(ctx context.Context, ids []glassward.RecordID, raws *lines) error {
	for part := range slices.Chunk(ids, 1000) {
		list, err := x.Store.Raw(ctx, part)
		if err != nil {
			return err
		}
		for _, r := range list {
			if err := raws.line(exportedRaw{r.ID.String(), r.Received, hex.EncodeToString(r.SHA256[:]), r.Bytes}); err != nil {
				return err
			}
		}
	}
	return nil
}

// row writes a record; columns that are empty are left out.
func (l *lines) row(columns []rel.Column, row []any) error {
	text := []byte{'{'}
	for i, cell := range row {
		v := exportCell(columns[i].Type, cell)
		if v == nil {
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = strconv.AppendQuote(text, columns[i].Name)
		text = append(text, ':')
		text = append(text, v...)
	}
	l.n++
	_, err := l.Write(append(text, '}', '\n'))
	return err
}

// exportCell gives a cell as JSON, nil for an empty one.
func exportCell(t value.Type, cell any) []byte {
	switch v := cell.(type) {
	case nil:
		return nil
	case string:
		if v == "" {
			return nil
		}
		if t == value.Dynamic && json.Valid([]byte(v)) {
			return []byte(v)
		}
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(v) // a string always encodes
		return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	case bool:
		return strconv.AppendBool(nil, v)
	case int64:
		switch t {
		case value.DateTime:
			return strconv.AppendQuote(nil, value.Ticks(v).String())
		case value.TimeSpan:
			return strconv.AppendQuote(nil, value.Span(v).String())
		}
		return strconv.AppendInt(nil, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.AppendQuote(nil, strconv.FormatFloat(v, 'g', -1, 64))
		}
		return strconv.AppendFloat(nil, v, 'g', -1, 64)
	}
	return nil
}

func (x *exporting) rejects(context.Context) error {
	f, err := os.Open(x.Rejects)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return x.put("rejects.ndjson", func(l *lines) error {
		_, err := io.Copy(l, f)
		return err
	})
}

// recordID reads an id as the store gives it.
func recordID(text string) (id glassward.RecordID, err error) {
	digits, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err == nil && len(digits) != len(id) {
		err = fmt.Errorf("%d bytes", len(digits))
	}
	if err != nil {
		return id, fmt.Errorf("record id %q: %w", text, err)
	}
	return glassward.RecordID(digits), nil
}

// RejectsPath gives the file of what a tenant's workspace could not understand.
func RejectsPath(data, tenant string) string {
	return filepath.Join(WorkspaceDir(data, tenant), "rejects.jsonl")
}

// Export writes everything that is kept of one tenant as a zip. A workspace that
// no tenant file names any more is exported by the id of its tenant.
func (o operator) Export(ctx context.Context, tenant, who string, to io.Writer) error {
	d := o.d
	d.mu.RLock()
	t, configured := d.config.Tenant(tenant)
	d.mu.RUnlock()
	e := Export{Tenant: t.ID, Name: t.Name, File: t.File, State: d.state, Program: d.o.Version, Now: d.now}
	var done func() error
	if configured {
		w, err := d.find(t.ID)
		if err != nil {
			return err
		}
		e.Store, done = w.store, func() error { return nil }
	} else {
		id, err := Kept(d.o.Config.Data, tenant)
		if err != nil {
			return err
		}
		// No reload opens it meanwhile.
		d.reload.Lock()
		defer d.reload.Unlock()
		if e.Tenant = id; d.isWatched(id) {
			return fmt.Errorf("%w: workspace %s is being opened: try again", console.ErrBusy, id)
		}
		if e.Store, err = logstore.Open(ctx, WorkspaceDir(d.o.Config.Data, id), logstore.Options{Threads: 1, Memory: idleMemory}); err != nil {
			return err
		}
		done = e.Store.Close
	}
	e.Rejects = RejectsPath(d.o.Config.Data, e.Tenant)
	d.audit(deed{tenant: e.Tenant, operation: "export", via: who, target: e.Tenant, result: "begun"})
	m, err := e.Write(ctx, to)
	err = errors.Join(err, done())
	x := deed{tenant: e.Tenant, operation: "export", via: who, target: e.Tenant, detail: fmt.Sprintf("%d files", len(m.Files)), result: "success"}
	if err != nil {
		x.result = err.Error()
	}
	d.audit(x)
	return err
}

// idleMemory is what a store may use that nobody watches.
const idleMemory = 512 << 20

func (d *Daemon) isWatched(tenant string) bool {
	_, ok := d.workspace(tenant)
	return ok || d.isShut(tenant)
}

// Kept gives the workspace in a data folder that an id means, whether or not a
// tenant file names it.
func Kept(data, tenant string) (string, error) {
	names, err := backup.Tenants(data)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if strings.EqualFold(name, tenant) {
			return name, nil
		}
	}
	return "", fmt.Errorf("workspace %s %w", tenant, console.ErrNoSuch)
}
