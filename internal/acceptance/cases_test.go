package acceptance_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"glassward/console/loganalytics"
	"glassward/internal/entrasim"
	"glassward/internal/mailsink"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// TestCasesOverTheAPI: other people's queries, where they are present, give over the API what they
// give in process, byte for byte, and are refused where they are refused there.
func TestCasesOverTheAPI(t *testing.T) {
	t.Parallel()
	f, err := os.Open("../../../shared/kql/cases.jsonl")
	if err != nil {
		t.Logf("without the cases there is nothing to compare: %v", err)
		return
	}
	defer f.Close()
	h := newHouse(t, map[string]string{"glassward.yaml": mainFile(listenMail(t, mailsink.Options{}).Port(), "oncall@example.org"), tenantPath: tenantFile(entrasim.EA01)})
	h.serve()
	store, err := logstore.OpenMemory(t.Context(), logstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	// inside gives the body of an answer, empty where the query is refused.
	inside := func(query string) []byte {
		run := func(p *kql.Program) (*kql.Result, error) {
			return store.Run(t.Context(), p, kql.Bind{Now: value.FromTime(time.Now())}, logstore.Limits{MaxRows: 500_000})
		}
		p, diags := kql.Compile(query, kql.Options{Catalog: schema.Default().Catalog(), Explore: run})
		if diags.HasErrors() {
			return nil
		}
		r, err := run(p)
		if err != nil {
			return nil
		}
		var b bytes.Buffer
		if err := (loganalytics.Answer{Result: r}).Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	same, other, refused := 0, 0, 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for n := 0; lines.Scan(); n++ {
		if racing && n%20 != 0 {
			continue
		}
		var c struct{ ID, Query string }
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]string{"query": c.Query})
		if err != nil {
			t.Fatal(err)
		}
		res, err := h.http.Post("http://glassward/v1/workspaces/default/query", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		_, err = got.ReadFrom(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		want := inside(c.Query)
		switch {
		case res.StatusCode >= 500 && want != nil:
			t.Errorf("%s: %d %s", c.ID, res.StatusCode, got.Bytes())
		case want == nil:
			if refused++; res.StatusCode == 200 {
				t.Errorf("%s: refused in process, and over the API %.300s", c.ID, got.Bytes())
			}
		case bytes.Equal(want, got.Bytes()):
			same++
		case !bytes.Equal(want, inside(c.Query)):
			other++ // it asks chance, or the time
		default:
			t.Errorf("%s: over the API %.500s\nin process %.500s\n%s", c.ID, got.Bytes(), want, c.Query)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if all := same + refused + other; all < 30 || same < all*3/4 || other > all/20 {
		t.Errorf("only %d are the same, %d differ from one time to the next", same, other)
	}
	t.Logf("%d the same, %d refused by both, %d differ from one time to the next", same, refused, other)
}
