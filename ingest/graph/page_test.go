package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"glassward/entra"
	"glassward/ingest"
)

// pages is a pager that gives what it is told to.
type pages struct {
	give []*entra.Page
	err  error
}

func (p *pages) Root() string          { return "https://graph.example.test" }
func (p *pages) Offset() time.Duration { return 0 }
func (p *pages) Pages(context.Context, string, http.Header) iter.Seq2[*entra.Page, error] {
	return func(yield func(*entra.Page, error) bool) {
		for _, page := range p.give {
			if !yield(page, nil) {
				return
			}
		}
		if p.err != nil {
			yield(nil, p.err)
		}
	}
}

func stubbed(t testing.TB, p *pages, emit ingest.Emit) *follower {
	s, err := newSource(Options{Tenant: "11111111-2222-3333-4444-555555555555", Streams: []Stream{InteractiveSignIns}}, p)
	if err != nil {
		t.Fatal(err)
	}
	f := newFollower(s, s.asks[0], emit)
	f.pos = begun(time.Now().Add(-time.Hour))
	return f
}

func lastHour() span {
	now := time.Now().UTC().Truncate(time.Second)
	return span{now.Add(-time.Hour), now.Add(-5 * time.Second)}
}

// A window is closed by its last page alone.
func TestAChainWithoutALastPageClosesNothing(t *testing.T) {
	row := json.RawMessage(`{"id":"x","createdDateTime":"2026-11-20T10:00:00Z","appId":"a","userPrincipalName":"u","status":{"errorCode":0}}`)
	for name, p := range map[string]*pages{
		"no page":    {},
		"link":       {give: []*entra.Page{{Value: []json.RawMessage{row}, Next: "next"}}},
		"fault":      {give: []*entra.Page{{Value: []json.RawMessage{row}, Next: "next"}}, err: &entra.Fault{Kind: entra.FaultOutage}},
		"last first": {give: []*entra.Page{{Value: []json.RawMessage{row}, Last: true}}, err: &entra.Fault{Kind: entra.FaultContent}},
	} {
		store := newStore()
		f := stubbed(t, p, store.emit)
		_, err := f.read(t.Context(), lastHour(), nil, func(p *position) { p.Polled = time.Now() })
		if err == nil || len(store.cursors) != 0 {
			t.Errorf("%s: %v, cursors %v", name, err, store.cursors)
		}
		if name != "no page" && name != "last first" && !store.has("x") {
			t.Errorf("%s: the row of the page that came is lost", name)
		}
	}
}

// Entries that are no records become rejects, once; the rest of the page goes on.
func TestEntriesThatAreNoRecords(t *testing.T) {
	good := json.RawMessage(`{"id":"x","createdDateTime":"2026-11-20T10:00:00Z","appId":"a","userPrincipalName":"u","status":{"errorCode":0}}`)
	p := &pages{give: []*entra.Page{{Last: true, Value: []json.RawMessage{json.RawMessage(`null`), json.RawMessage(`{"value":1}`), good, json.RawMessage(`"text"`), json.RawMessage(`[1]`)}}}}
	store := newStore()
	f := stubbed(t, p, store.emit)
	for range 3 {
		if _, err := f.read(t.Context(), lastHour(), nil, func(*position) {}); err != nil {
			t.Fatal(err)
		}
	}
	if !store.has("x") || len(store.rejects) < 3 || len(store.rejects) > 5 {
		t.Errorf("the good row came: %v; rejects %q", store.has("x"), store.rejects)
	}
}

// FuzzPage: whatever a page holds, the source neither crashes nor loses count of
// an entry: it is given as a record or as a reject.
func FuzzPage(f *testing.F) {
	f.Add(`[{"id":"x","createdDateTime":"2026-11-20T10:00:00Z","appId":"a","userPrincipalName":"u","status":{"errorCode":0}},{"id":1}]`)
	f.Add(`[null,1,"a",[{}],{"value":[{"id":"y"}]},{"records":[]}]`)
	f.Add(`[{"id":"x","createdDateTime":"0000-00-00","signInEventTypes":"interactiveUser","status":{}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		var value []json.RawMessage
		if json.Unmarshal([]byte(text), &value) != nil {
			return
		}
		given := 0
		follower := stubbed(t, &pages{give: []*entra.Page{{Value: value, Last: true}}}, func(_ context.Context, b *ingest.Batch, _ *ingest.Cursor) error {
			given += len(b.Records) + len(b.Rejects)
			return nil
		})
		got, err := follower.read(t.Context(), lastHour(), nil, func(*position) {})
		if err != nil {
			t.Fatal(err)
		}
		if got.rows > 0 && given == 0 {
			t.Errorf("%d rows were read and nothing was given", got.rows)
		}
	})
}

// FuzzPosition: a cursor is refused or gives a position that encodes to the same.
func FuzzPosition(f *testing.F) {
	p := begun(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))
	p.Unread = []span{{p.Begin, p.Begin.Add(time.Hour)}}
	text, _ := p.encode()
	f.Add(text)
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"begin":"2026-01-01T00:00:00Z","polled":"2026-01-02T00:00:00.5+02:00","hourly":"2026-01-02T00:00:00Z","daily":"2026-01-02T00:00:00Z","tried":"2026-01-02T00:00:00Z","again":[{"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z"},{"from":"2026-01-01T10:00:00Z","to":"2026-01-02T10:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := decodePosition(text)
		if err != nil {
			return
		}
		if p.Polled.Before(p.Begin) || p.Daily.After(p.Polled) || p.Hourly.After(p.Polled) {
			t.Errorf("times out of order: %+v", p)
		}
		for _, list := range [][]span{p.Unread, p.Again, p.Missed} {
			for i, s := range list {
				if s.empty() || i > 0 && !list[i-1].To.Before(s.From) {
					t.Errorf("spans out of order: %v", list)
				}
			}
		}
		once, err := p.encode()
		if err != nil {
			t.Fatal(err)
		}
		q, err := decodePosition(once)
		if err != nil {
			t.Fatalf("what was encoded is refused: %v", err)
		}
		if twice, _ := q.encode(); string(once) != string(twice) {
			t.Errorf("%s becomes %s", once, twice)
		}
	})
}

func TestSpans(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(int64(n), 0).UTC() }
	sp := func(ns ...int) (list []span) {
		for i := 0; i < len(ns); i += 2 {
			list = append(list, span{at(ns[i]), at(ns[i+1])})
		}
		return list
	}
	text := func(list []span) string {
		var b strings.Builder
		for _, s := range list {
			fmt.Fprintf(&b, "%d-%d ", s.From.Unix(), s.To.Unix())
		}
		return b.String()
	}
	for _, c := range []struct {
		got  []span
		want string
	}{
		{add(sp(1, 3, 7, 9), span{at(4), at(5)}), "1-3 4-5 7-9 "},
		{add(sp(1, 3, 7, 9), span{at(3), at(7)}), "1-9 "},
		{add(sp(4, 5), span{at(1), at(2)}), "1-2 4-5 "},
		{add(sp(4, 5), span{at(2), at(2)}), "4-5 "},
		{remove(sp(1, 9), span{at(3), at(5)}), "1-3 5-9 "},
		{remove(sp(1, 4, 5, 9), span{at(3), at(6)}), "1-3 6-9 "},
		{remove(sp(1, 4), span{at(0), at(9)}), ""},
		{bounded(sp(1, 2, 4, 5, 9, 10, 11, 12), 2), "1-5 9-12 "},
	} {
		if got := text(c.got); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

func TestKnownIsBounded(t *testing.T) {
	k := newKnown()
	k.limit = 1000
	for h := range 100 {
		var marks []mark
		for i := range 100 {
			marks = append(marks, mark{int64(1000 + h), uint64(h*1000 + i), 1})
		}
		k.keep(marks)
		k.covers(span{time.Unix(1000*3600, 0), time.Unix(int64(1001+h)*3600, 0)})
	}
	if k.rows > 1100 || !k.from.Equal(time.Unix(1090*3600, 0)) {
		t.Errorf("%d rows are known, from %v", k.rows, k.from)
	}
	var flood []mark
	for i := range 5000 {
		flood = append(flood, mark{2000, uint64(i), 1})
	}
	k.keep(flood)
	if k.rows > 2*k.limit {
		t.Errorf("%d rows of one hour are known", k.rows)
	}
}

// A filter says times unquoted and ids quoted, whatever an id holds.
func TestAddresses(t *testing.T) {
	d, _ := lookup(DeclaredAudits)
	w := span{time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC), time.Date(2026, 11, 20, 11, 0, 0, 0, time.FixedZone("x", 1800))}
	terms := d.terms(Accounts{Users: []string{"o'neil"}})
	got := d.address("https://g", d.asks[0], w, terms)
	want := "https://g/v1.0/auditLogs/directoryAudits?$top=1000&$filter=activityDateTime%20ge%202026-11-20T10%3A00%3A00Z%20and%20activityDateTime%20le%202026-11-20T10%3A30%3A00Z" +
		"%20and%20%28initiatedBy%2Fuser%2Fid%20eq%20%27o%27%27neil%27%20or%20targetResources%2Fany%28t%3A%20t%2Fid%20eq%20%27o%27%27neil%27%29%29&$orderby=activityDateTime"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	p, _ := lookup(Provisioning)
	if got := p.address("https://g", p.asks[0], w, nil); !strings.Contains(got, "gt%202026-11-20T09%3A59%3A59Z") || !strings.Contains(got, "lt%202026-11-20T10%3A30%3A01Z") {
		t.Errorf("provisioning knows gt and lt alone: %s", got)
	}
}

func TestTheErrorOfEmitIsGivenAsItIs(t *testing.T) {
	broken := errors.New("disk full")
	f := stubbed(t, &pages{give: []*entra.Page{{Last: true}}}, func(context.Context, *ingest.Batch, *ingest.Cursor) error { return broken })
	_, err := f.read(t.Context(), lastHour(), nil, func(*position) {})
	if got := ends(t.Context(), err); got != broken {
		t.Errorf("%v", got)
	}
}

// BenchmarkPage is the way of one page of a thousand sign-ins from its bytes to
// emit, all of them new.
func BenchmarkPage(b *testing.B) {
	var value []json.RawMessage
	bytes := 0
	now := time.Now().UTC()
	for i := range 1000 {
		e := signIn(fmt.Sprintf("66ea54eb-6301-4ee5-be62-%012d", i), "interactiveUser", "26be570a-ae82-4189-b4e2-a37c6808512d", now.Add(-time.Duration(i)*time.Second))
		e["userAgent"] = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
		e["deviceDetail"] = map[string]any{"deviceId": "", "operatingSystem": "Windows 10", "browser": "Edge 131"}
		e["location"] = map[string]any{"city": "Redmond", "countryOrRegion": "US", "geoCoordinates": map[string]any{"latitude": 47.68, "longitude": -122.12}}
		e["appliedConditionalAccessPolicies"] = []any{map[string]any{"id": "de7e60eb-ed89-4d73-8205-2227def6b7c9", "displayName": "Require a second factor", "result": "success", "enforcedGrantControls": []string{"Mfa"}}}
		e["authenticationDetails"] = []any{map[string]any{"authenticationMethod": "FIDO2 security key", "succeeded": true, "authenticationStepResultDetail": "MFA completed"}}
		text, _ := json.Marshal(e)
		bytes += len(text)
		value = append(value, text)
	}
	p := &pages{give: []*entra.Page{{Value: value, Last: true}}}
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		f := stubbed(b, p, func(_ context.Context, batch *ingest.Batch, _ *ingest.Cursor) error {
			n += len(batch.Records)
			return nil
		})
		if _, err := f.read(context.Background(), lastHour(), nil, func(*position) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}
