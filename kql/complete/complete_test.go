package complete_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"glassward/kql"
	"glassward/kql/complete"
	"glassward/kql/kqltest"
	"glassward/kql/rel"
	"glassward/kql/value"
)

type tables map[string]*rel.Table

func (m tables) Table(name string) (*rel.Table, bool) { t, ok := m[name]; return t, ok }
func (m tables) TableNames() []string                 { return slices.Sorted(maps.Keys(m)) }

func options() complete.Options {
	col := func(name string, t value.Type) rel.Column { return rel.Column{Name: name, Type: t} }
	return complete.Options{
		Options: kql.Options{
			Catalog: tables{
				"SigninLogs": {Name: "SigninLogs", Columns: []rel.Column{col("TimeGenerated", value.DateTime), col("UserId", value.String), col("UserPrincipalName", value.String), col("ResultType", value.String), col("Location Details", value.Dynamic)}},
				"AuditLogs": {Name: "AuditLogs", Columns: []rel.Column{col("TimeGenerated", value.DateTime), col("OperationName", value.String), col("InitiatedBy", value.Dynamic)},
					Shadows: []rel.Shadow{{Name: "_a", Column: "InitiatedBy", Path: ".user.id", Type: value.String}, {Name: "_b", Column: "InitiatedBy", Path: ".user.ipAddress", Type: value.String}, {Name: "_c", Column: "InitiatedBy", Path: ".app.displayName", Type: value.String}}},
			},
			Watchlists: map[string]*kql.Watchlist{"EmergencyAccounts": {Columns: []rel.Column{col("ObjectId", value.String), col("Owner", value.String)}}, "ResultTypes": {Columns: []rel.Column{col("Code", value.Long)}}},
		},
		Describe: func(table, column string) string {
			if table == "SigninLogs" && column == "UserId" {
				return "Object id of the user."
			}
			if table == "SigninLogs" && column == "" {
				return "Interactive sign-ins of users."
			}
			return ""
		},
	}
}

// golden holds cases to what f gives for a text in which § is the place.
func golden(t *testing.T, file string, f func(text string, offset int) string) {
	kqltest.Golden(t, "testdata/"+file, func(t *testing.T, marked string) string {
		offset := strings.Index(marked, "§")
		if offset < 0 {
			t.Fatal("no place")
		}
		return f(strings.Replace(marked, "§", "", 1), offset)
	})
}

// TestComplete shows the first items of each kind, and how many there are.
func TestComplete(t *testing.T) {
	golden(t, "complete.txt", func(text string, offset int) string {
		var b strings.Builder
		count, order := map[complete.Kind]int{}, []complete.Kind{}
		for _, it := range complete.Complete(text, offset, options()) {
			if count[it.Kind] == 0 {
				order = append(order, it.Kind)
			}
			count[it.Kind]++
		}
		for _, k := range order {
			n := 0
			for _, it := range complete.Complete(text, offset, options()) {
				if it.Kind != k {
					continue
				}
				if n++; n > shown(k) {
					continue
				}
				fmt.Fprintf(&b, "%s %s", k, it.Label)
				if typed := it.Replace.In(text); typed != "" || strings.TrimSpace(it.Insert) != it.Label {
					fmt.Fprintf(&b, "  [%s → %s]", typed, it.Insert)
				}
				if it.Detail != "" {
					fmt.Fprintf(&b, "  %s", it.Detail)
				}
				b.WriteByte('\n')
			}
			if n > shown(k) {
				fmt.Fprintf(&b, "%s … and more\n", k)
			}
		}
		return b.String()
	})
}

// shown is how many items of a kind the tests show; the vocabulary grows.
func shown(k complete.Kind) int {
	switch k {
	case complete.Function, complete.Aggregate, complete.Plugin, complete.Operator:
		return 3
	}
	return 8
}

// TestHover shows what is told of a place.
func TestHover(t *testing.T) {
	golden(t, "hover.txt", func(text string, offset int) string {
		info, ok := complete.Hover(text, offset, options())
		if !ok {
			return "nothing"
		}
		return fmt.Sprintf("[%s] %s\n%s", info.At.In(text), info.Title, info.Doc)
	})
}

// TestQuick holds that an ordinary query is answered while somebody types.
func TestQuick(t *testing.T) {
	text := "let ids = dynamic(['a']);\n" + strings.Repeat("SigninLogs | where UserId in (ids) | summarize n = count() by UserId | join kind=inner (AuditLogs | extend a = tostring(InitiatedBy.user.id)) on $left.UserId == $right.a;\n", 5) + "SigninLogs | where Us"
	start := time.Now()
	const times = 20
	for range times {
		if len(complete.Complete(text, len(text), options())) == 0 {
			t.Fatal("nothing")
		}
	}
	if d := time.Since(start) / times; d > 50*time.Millisecond {
		t.Errorf("%v for an answer", d)
	}
}

// check holds what must be true of every text and place.
func check(t *testing.T, text string, offset int) {
	o := options()
	for _, it := range complete.Complete(text, offset, o) {
		if it.Label == "" || it.Insert == "" || it.Replace.Start < 0 || it.Replace.Start > it.Replace.End || it.Replace.End > len(text) {
			t.Fatalf("%+v at %d of %q", it, offset, text)
		}
		if utf8.ValidString(text) && !utf8.ValidString(text[:it.Replace.Start]) {
			t.Fatalf("%+v at %d of %q cuts a character", it, offset, text)
		}
	}
	if info, ok := complete.Hover(text, offset, o); ok && (info.Title == "" || info.At.Start < 0 || info.At.End > len(text) || info.At.Len() <= 0) {
		t.Fatalf("%+v at %d of %q", info, offset, text)
	}
}

func FuzzComplete(f *testing.F) {
	for _, q := range queries(f) {
		f.Add(q, len(q)/2)
	}
	f.Add("T | where ((((", 9)
	f.Add("let f = (a:long) { SigninLogs | where ", 38)
	f.Fuzz(func(t *testing.T, text string, offset int) {
		if len(text) > 1<<12 {
			return
		}
		check(t, text, offset)
	})
}

// TestEverywhere asks at every place of every query of the tests, with and without what follows.
func TestEverywhere(t *testing.T) {
	for _, q := range queries(t) {
		for i := range len(q) + 1 {
			check(t, q, i)
			check(t, q[:i], i)
		}
	}
}

// queries gives the texts of the tests, without the marks.
func queries(t testing.TB) []string {
	var out []string
	for _, name := range []string{"complete.txt", "hover.txt"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for c := range strings.SplitSeq(string(b), "\n== ") {
			_, body, _ := strings.Cut(c, "\n")
			text, _, _ := strings.Cut(body, "----\n")
			out = append(out, strings.ReplaceAll(text, "§", ""))
		}
	}
	return out
}

func BenchmarkComplete(b *testing.B) {
	text := "let ids = dynamic(['a']);\nSigninLogs | where UserId in (ids) | summarize n = count() by UserId | join kind=inner (AuditLogs | extend a = tostring(InitiatedBy.user.id)) on $left.UserId == $right.a\n| where Us"
	for b.Loop() {
		complete.Complete(text, len(text), options())
	}
}
