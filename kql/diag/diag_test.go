package diag_test

import (
	"strings"
	"testing"

	"glassward/kql/diag"
)

func TestList(t *testing.T) {
	var l diag.List
	if l.Err() != nil || l.HasErrors() {
		t.Error("an empty list has errors")
	}
	l.Warnf("KQL0150", diag.At(5, 6), "", "later")
	if l.Err() != nil {
		t.Error("a warning is no error")
	}
	l.Errorf("KQL0102", diag.At(3, 4), "do this", "number %d", 7)
	l.Errorf("KQL0102", diag.At(3, 4), "do this", "number %d", 7)
	l.Errorf("KQL0101", diag.At(3, 4), "", "first by code")
	l.Sort()
	if len(l) != 3 || l[0].Code != "KQL0101" || l[2].Code != "KQL0150" {
		t.Error(l)
	}
	if got, want := l.Err().Error(), "KQL0101: first by code; KQL0102: number 7 (do this)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range 2 * diag.Limit {
		l.Errorf("KQL0001", diag.At(i, i), "", "x")
	}
	if len(l) != diag.Limit {
		t.Errorf("%d diagnostics", len(l))
	}
}

func TestLocate(t *testing.T) {
	const src = "a\r\nbé\rc\n\nd"
	for _, tt := range []struct{ offset, line, column int }{
		{0, 1, 1}, {1, 1, 2}, {2, 1, 3}, {3, 2, 1}, {4, 2, 2}, {6, 2, 3}, {7, 3, 1}, {9, 4, 1}, {10, 5, 1}, {11, 5, 2}, {99, 5, 2}, {-1, 1, 1},
	} {
		if p := diag.Locate(src, tt.offset); p.Line != tt.line || p.Column != tt.column {
			t.Errorf("%d: got %v, want %d:%d", tt.offset, p, tt.line, tt.column)
		}
	}
}

func TestRender(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		name, src string
		at        diag.Span
		want      string
	}{
		{"plain", "ab cd\nef gh", diag.At(9, 11), "  | ef gh\n  |    ^^\n"},
		{"tab and wide characters", "\t東 x", diag.At(5, 6), "  |     東 x\n  |        ^\n"},
		{"wide characters marked", "a 東京", diag.At(2, 8), "  | a 東京\n  |   ^^^^\n"},
		{"combining", "e\u0301 x", diag.At(4, 5), "  | e\u0301 x\n  |   ^\n"},
		{"empty span", "abc", diag.At(3, 3), "  | abc\n  |    ^\n"},
		{"beyond the line", "ab\ncd", diag.At(1, 5), "  | ab\n  |  ^\n"},
		{"beyond the source", "ab", diag.At(7, 9), "  | ab\n  |   ^\n"},
		{"control characters", "a\x1b[31m\u202eb c", diag.At(11, 12), "  | a·[31m·b c\n  |          ^\n"},
		{"not UTF-8", "\xff\xfe c", diag.At(3, 4), "  | \uFFFD\uFFFD c\n  |    ^\n"},
		{"long line", long + "yy" + long, diag.At(300, 302), "  | …" + strings.Repeat("x", 80) + "yy" + strings.Repeat("x", 78) + "…\n  | " + strings.Repeat(" ", 81) + "^^\n"},
		{"empty source", "", diag.At(0, 0), "  | \n  | ^\n"},
	} {
		got := diag.Text("", tt.src, diag.List{{Code: "KQL0001", Span: tt.at, Message: "m\x1b\nn"}})
		_, snippet, _ := strings.Cut(got, "\n")
		if strings.TrimRight(strings.ReplaceAll(snippet, "\n", " \n"), " ") != strings.TrimRight(strings.ReplaceAll(tt.want, "\n", " \n"), " ") && snippet != tt.want {
			t.Errorf("%s: got\n%q, want\n%q", tt.name, snippet, tt.want)
		}
		if !strings.Contains(got, "error KQL0001: m· n\n") {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
	got := diag.Text("a.kql", "T | x", diag.List{{Code: "KQL0103", Severity: diag.Warning, Span: diag.At(4, 5), Message: "m", Hint: "do"}})
	if want := "a.kql:1:5: warning KQL0103: m\n  | T | x\n  |     ^\n  hint: do\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzRender(f *testing.F) {
	f.Add("a\r\n\tb", 2, 3)
	f.Add(strings.Repeat("é", 200), 199, 204)
	f.Fuzz(func(t *testing.T, src string, start, end int) {
		list := diag.List{{Code: "KQL0001", Span: diag.At(start, end), Message: src, Hint: src}}
		text := diag.Text(src, src, list)
		if strings.ContainsAny(text, "\x1b\x00\r\u202e") {
			t.Errorf("%q", text)
		}
		if n := strings.Count(text, "\n"); n != 4 && !(src == "" && n == 3) {
			t.Errorf("%d lines: %q", n, text)
		}
	})
}
