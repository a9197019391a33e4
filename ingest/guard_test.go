package ingest_test

import (
	"errors"
	"strings"
	"testing"

	"glassward"
	"glassward/ingest"
)

// A panic becomes an error that says where; everything else goes through.
func TestGuard(t *testing.T) {
	err := ingest.Guard(func() error { panic("oh") })
	var defect *ingest.PanicError
	if !errors.As(err, &defect) || defect.Value != "oh" || !strings.Contains(string(defect.Stack), "TestGuard") || !strings.Contains(err.Error(), "oh") {
		t.Errorf("a panic gives %v", err)
	}
	if err := ingest.Guard(func() error { return nil }); err != nil {
		t.Error(err)
	}
}

// A record that Glassward exported has the id that it had, where the operator
// gives it; a pushed one cannot choose its id, nor one of Log Analytics.
func TestExportedRecordKeepsItsID(t *testing.T) {
	const id = "01234567-89ab-cdef-0123-456789abcdef"
	line := func(more string) string {
		return `{"Type":"SigninLogs","TimeGenerated":"2026-11-20T01:02:03Z","Id":"x","_ItemId":"` + id + `"` + more + `}`
	}
	for _, c := range []struct {
		text       string
		provenance glassward.Provenance
		kept       bool
	}{
		{line(`,"_Provenance":"pulled"`), glassward.File, true},
		{line(`,"_Provenance":"pulled"`), glassward.Pushed, false},
		{line(``), glassward.File, false},
		{strings.Replace(line(`,"_Provenance":"pulled"`), id, "no id", 1), glassward.File, false},
	} {
		records, _, _, _ := decode(t, c.text, ingest.DecoderOptions{Provenance: c.provenance})
		if len(records) != 1 || (records[0].ID.String() == id) != c.kept {
			t.Errorf("%s as %s gives %+v", c.text, c.provenance, records)
		}
	}
}
