// Kqlfigures prints how much of KQL stands: cases with known results by feature, queries that must be
// refused, and published rules and queries compiled and run over empty and over filled tables. It runs
// on the product's own store. The material is other people's and lies beside the repository.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/ingest"
	"glassward/internal/corpus"
	"glassward/internal/entrasim"
	"glassward/kql"
	"glassward/kql/eval"
	"glassward/kql/kqltest"
	"glassward/kql/rel"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

func main() {
	dir := flag.String("material", "../shared/kql", "folder with cases.jsonl, errors.jsonl, rules and community")
	verbose := flag.Bool("v", false, "tell why each case fails")
	flag.Parse()
	if err := figures(context.Background(), os.Stdout, *dir, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "kqlfigures:", err)
		os.Exit(1)
	}
}

// moment is when the queries are run.
var moment = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

func figures(ctx context.Context, out io.Writer, dir string, verbose bool) error {
	empty, err := logstore.OpenMemory(ctx, logstore.Options{Now: func() time.Time { return moment }, Places: places()})
	if err != nil {
		return err
	}
	defer empty.Close()
	if err := cases(ctx, out, dir, empty, verbose); err != nil {
		return err
	}
	if err := refused(out, dir); err != nil {
		return err
	}
	filled, err := logstore.OpenMemory(ctx, logstore.Options{Now: func() time.Time { return moment }, Places: places()})
	if err != nil {
		return err
	}
	defer filled.Close()
	if err := fill(ctx, filled); err != nil {
		return fmt.Errorf("fill the tables: %w", err)
	}
	return published(ctx, out, dir, []*logstore.Store{empty, filled})
}

// places stands for the database of addresses that a user supplies: all private ones are in one place.
func places() *logstore.Places {
	return &logstore.Places{Find: func(a netip.Addr) (eval.Place, bool) { return eval.Place{Country: "Nowhere"}, a.IsPrivate() }}
}

// runner runs programs on a store, as a person's query runs.
func runner(ctx context.Context, s *logstore.Store) func(*kql.Program) (*kql.Result, error) {
	now := value.FromTime(moment)
	bind := kql.Bind{Now: now, From: now - 30*value.Ticks(value.Day), To: now + 1, SeqTo: 1 << 40}
	return func(p *kql.Program) (*kql.Result, error) {
		return s.Run(ctx, p, bind, logstore.Limits{Timeout: time.Minute})
	}
}

func records(dir, name string) ([]*kqltest.Record, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	return kqltest.ReadRecords(bytes.NewReader(b))
}

// tally counts what stands of what there is.
type tally struct{ good, all int }

func (t *tally) add(good bool) {
	t.all++
	if good {
		t.good++
	}
}

func (t tally) String() string {
	return fmt.Sprintf("%d of %d, %.1f %%", t.good, t.all, 100*float64(t.good)/float64(max(t.all, 1)))
}

// cases runs queries whose results another engine gave.
func cases(ctx context.Context, out io.Writer, dir string, store *logstore.Store, verbose bool) error {
	list, err := records(dir, "cases.jsonl")
	if err != nil {
		return err
	}
	run := runner(ctx, store)
	features := map[string]*tally{}
	var geo, rest tally
	for _, r := range list {
		why := check(r, run)
		if features[r.Feature] == nil {
			features[r.Feature] = &tally{}
		}
		features[r.Feature].add(why == "")
		if strings.HasPrefix(r.Feature, "geo") {
			geo.add(why == "")
		} else {
			rest.add(why == "")
		}
		if verbose && why != "" {
			fmt.Fprintf(out, "%s: %s\n%s\n\n", r.ID, why, r.Query)
		}
	}
	fmt.Fprintf(out, "cases outside geo: %s\ncases of geo:      %s\n", rest, geo)
	names := slices.SortedFunc(maps.Keys(features), func(a, b string) int {
		x, y := features[a], features[b]
		return cmp.Or(cmp.Compare(x.good*y.all, y.good*x.all), cmp.Compare(a, b))
	})
	whole := 0
	for _, n := range names {
		if f := features[n]; f.good < f.all {
			fmt.Fprintf(out, "  %-44s %d of %d\n", n, f.good, f.all)
		} else {
			whole++
		}
	}
	fmt.Fprintf(out, "  the other %d features are whole\n", whole)
	return nil
}

func check(r *kqltest.Record, run func(*kql.Program) (*kql.Result, error)) string {
	p, diags := kql.Compile(r.Query, kql.Options{Explore: run})
	if p == nil {
		return "does not compile: " + diags.Err().Error()
	}
	res, err := run(p)
	if err != nil {
		return "does not run: " + err.Error()
	}
	var cols []kqltest.Column
	for _, c := range res.Columns {
		cols = append(cols, kqltest.Column{Name: c.Name, Type: c.Type.String()})
	}
	if err := r.Check(cols, res.Rows); err != nil {
		return "gives something else: " + err.Error()
	}
	return ""
}

// refused compiles queries that must be refused.
func refused(out io.Writer, dir string) error {
	list, err := records(dir, "errors.jsonl")
	if err != nil {
		return err
	}
	var t tally
	var taken []string
	for _, r := range list {
		p, _ := kql.Compile(r.Query, kql.Options{})
		t.add(p == nil)
		if p != nil {
			taken = append(taken, r.ID)
		}
	}
	fmt.Fprintf(out, "errors refused:    %s\n", t)
	for _, id := range taken {
		fmt.Fprintf(out, "  %s is not refused\n", id)
	}
	return nil
}

// published compiles and runs other people's rules and queries on each of the stores.
func published(ctx context.Context, out io.Writer, dir string, stores []*logstore.Store) error {
	queries, err := corpus.Read(dir)
	if err != nil {
		return err
	}
	catalog := schema.Default().Catalog()
	standIns, err := corpus.StandIns(kql.Options{Catalog: catalog, Addresses: true})
	if err != nil {
		return err
	}
	reasons, err := corpus.ReadReasons()
	if err != nil {
		return err
	}
	var rules, community tally
	var notes []string
	for _, q := range queries {
		good := true
		note := func(format string, args ...any) {
			if good {
				notes = append(notes, q.Name+": "+fmt.Sprintf(format, args...))
			}
			good = false
		}
		for _, s := range stores {
			run := runner(ctx, s)
			for _, o := range []kql.Options{{}, {Lineage: true, Window: kql.ByTime}} {
				o.Catalog, o.Functions, o.Explore, o.Addresses = catalog, standIns, run, true
				p, diags, _ := corpus.Compile(q, o)
				if p == nil {
					if why, explained := reasons.Explain(diags); explained {
						note("%s", why[0].Why)
					} else {
						note("without a reason: %v", diags.Err())
					}
					continue
				}
				if _, err := run(p); err != nil {
					note("does not run: %v", err)
				}
			}
		}
		if q.Rule {
			rules.add(good)
		} else {
			community.add(good)
		}
	}
	fmt.Fprintf(out, "published rules compiled and run over empty and filled tables:   %s\n", rules)
	fmt.Fprintf(out, "community queries compiled and run over empty and filled tables: %s\n", community)
	for _, n := range notes {
		fmt.Fprintln(out, "  "+n)
	}
	return nil
}

// fill puts a day of a made-up tenant into the store, and into every table rows of all shapes.
func fill(ctx context.Context, s *logstore.Store) error {
	day := bytes.Join(entrasim.New(7).Day(moment), []byte("\n"))
	d, err := ingest.NewDecoder(bytes.NewReader(day), ingest.DecoderOptions{Source: "figures", Provenance: glassward.File, Fill: true, Now: func() time.Time { return moment }})
	if err != nil {
		return err
	}
	var batch ingest.Batch
	for {
		err := d.Next(&batch)
		if len(batch.Records) > 0 {
			if _, err := s.Append(ctx, logstore.Batch{Records: batch.Records}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	var list []glassward.Record
	for _, t := range schema.Tables() {
		plain := &rel.Table{Name: t.Name}
		for _, c := range t.Columns {
			plain.Columns = append(plain.Columns, rel.Column{Name: c.Name, Type: c.Type})
		}
		at, timed := t.Index(rel.TimeColumn)
		for i, row := range corpus.Sample(plain, 30, value.FromTime(moment)) {
			r := glassward.Record{Table: t.Name, Source: "figures", Provenance: glassward.File, Received: moment, Time: moment, Line: i + 1}
			sum := sha256.Sum256(binary.AppendVarint([]byte(t.Name), int64(i)))
			copy(r.ID[:], sum[:])
			for j, v := range row {
				r.Values = append(r.Values, cell(v, plain.Columns[j].Type))
			}
			if timed {
				r.Time = value.Ticks(row[at].(int64)).Time()
			}
			list = append(list, r)
		}
	}
	_, err = s.Append(ctx, logstore.Batch{Records: list})
	return err
}

// cell gives a sample's cell as a record has it.
func cell(v any, t value.Type) glassward.Value {
	switch v := v.(type) {
	case bool:
		return glassward.Bool(v)
	case int64:
		return glassward.Long(v)
	case float64:
		return glassward.Real(v)
	case string:
		return glassward.String(v)
	}
	if t == value.String {
		return glassward.String("")
	}
	return glassward.Null()
}
