package change_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward/directory"
	"glassward/directory/change"
)

// Each file of testdata holds two snapshots, the files of parts below before/ and
// after/, and in "want" what differs: kind, id, name in brackets, property, element in
// brackets, what was and what is. "*" stands for a part that is the same in both. What
// was not seen follows, parts that neither snapshot was ever asked for left out.
func TestCompare(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no files in testdata", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before, after, want := map[string][]byte{}, map[string][]byte{}, -1
			for i, f := range a.Files {
				if name, ok := strings.CutPrefix(f.Name, "before/"); ok {
					before[name] = f.Data
				} else if name, ok := strings.CutPrefix(f.Name, "after/"); ok {
					after[name] = f.Data
				} else if name, ok := strings.CutPrefix(f.Name, "both/"); ok {
					before[name], after[name] = f.Data, f.Data
				} else if f.Name == "want" {
					want = i
				}
			}
			x, y := snapshot(t, before), snapshot(t, after)
			have := describe(change.Compare(x, y))
			for _, s := range []*directory.Snapshot{x, y} {
				if d := change.Compare(s, s).Differences; len(d) > 0 {
					t.Errorf("a snapshot differs from itself: %v", d)
				}
			}
			reversed(t, change.Compare(x, y), change.Compare(y, x))
			if os.Getenv("UPDATE") != "" {
				a.Files[want].Data = []byte(have)
				if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if want < 0 || string(a.Files[want].Data) != have {
				t.Errorf("have:\n%s", have)
			}
		})
	}
}

// reversed fails unless what came in one direction went in the other.
func reversed(t *testing.T, one, other change.Result) {
	t.Helper()
	if len(one.Differences) != len(other.Differences) {
		t.Errorf("%d differences, and %d the other way round", len(one.Differences), len(other.Differences))
		return
	}
	for i, d := range one.Differences {
		e := other.Differences[i]
		if d.Kind != e.Kind || d.ID != e.ID || d.Property != e.Property || d.Element != e.Element ||
			!bytes.Equal(d.Before, e.After) || !bytes.Equal(d.After, e.Before) {
			t.Errorf("%v\nand the other way round\n%v", line(d), line(e))
		}
	}
}

func line(d change.Difference) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", d.Kind, d.ID)
	if d.Name != "" {
		fmt.Fprintf(&b, " (%s)", d.Name)
	}
	b.WriteString(" " + cmp.Or(d.Property, "."))
	if d.Element != "" {
		fmt.Fprintf(&b, " [%s]", d.Element)
	}
	text := func(v json.RawMessage) string {
		if v == nil {
			return "nothing"
		}
		return string(v)
	}
	fmt.Fprintf(&b, ": %s -> %s", text(d.Before), text(d.After))
	return b.String()
}

func describe(r change.Result) string {
	var b strings.Builder
	for _, d := range r.Differences {
		fmt.Fprintln(&b, line(d))
	}
	for _, u := range r.Unseen {
		if strings.HasPrefix(u.Before.Reason, "the snapshot does not hold") && u.Before.Reason == u.After.Reason {
			continue
		}
		fmt.Fprintf(&b, "not seen: %s\n", strings.TrimSpace(fmt.Sprintf("%s %s: %s, %s: %s", u.Part, u.Object, u.Before.State, u.After.State, u.Why())))
	}
	return b.String()
}

// snapshot opens files as a snapshot; it is packed, as archives are read from memory.
func snapshot(t testing.TB, files map[string][]byte) *directory.Snapshot {
	t.Helper()
	s, err := open(files)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(files map[string][]byte) (*directory.Snapshot, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w, err := z.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return directory.Unzip(bytes.NewReader(b.Bytes()), int64(b.Len()), directory.Limits{})
}

// Whatever stands in a part: comparing it does not fail, comes to nothing with itself
// and to the reverse the other way round, and gives JSON.
func FuzzCompare(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		texts := map[string][]byte{}
		for _, x := range a.Files {
			texts[x.Name] = x.Data
		}
		for i, p := range directory.Parts() {
			name := string(p) + ".json"
			if before, after := texts["before/"+name], texts["after/"+name]; before != nil && after != nil {
				f.Add(uint(i), before, after)
			}
		}
	}
	f.Fuzz(func(t *testing.T, part uint, before, after []byte) {
		name := string(directory.Parts()[part%uint(len(directory.Parts()))]) + ".json"
		// Objects that a part's objects are looked for in.
		other := []byte(`{"value":[{"id":"11111111-1111-1111-1111-111111111111","displayName":"A"}]}`)
		files := func(text []byte) map[string][]byte {
			m := map[string][]byte{"users.json": other, "groups.json": other, "servicePrincipals.json": other}
			m[name] = text
			return m
		}
		x, err := open(files(before))
		if err != nil {
			return // what cannot be opened is for FuzzNode of package directory
		}
		y, err := open(files(after))
		if err != nil {
			return // what cannot be opened is for FuzzNode of package directory
		}
		r := change.Compare(x, y)
		for _, d := range r.Differences {
			if d.Before != nil && !json.Valid(d.Before) || d.After != nil && !json.Valid(d.After) || d.Before == nil && d.After == nil {
				t.Errorf("%s", line(d))
			}
		}
		for _, s := range []*directory.Snapshot{x, y} {
			if d := change.Compare(s, s).Differences; len(d) > 0 {
				t.Errorf("a snapshot differs from itself: %s", line(d[0]))
			}
		}
		reversed(t, r, change.Compare(y, x))
	})
}
