package cloud_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// pages reads a list of Graph to its end and gives the ids, and how many pages
// had no rows.
func (b *bench) pages(first string) (ids map[string]int, empty int) {
	b.t.Helper()
	ids = map[string]int{}
	for next := first; next != ""; {
		status, _, body, _ := b.ask(request{url: next})
		if status != http.StatusOK {
			b.t.Fatalf("%s: %d %s", next, status, body)
		}
		var p struct {
			Next  string `json:"@odata.nextLink"`
			Value []struct {
				ID string `json:"id"`
			} `json:"value"`
		}
		if err := json.Unmarshal(body, &p); err != nil {
			b.t.Fatal(err)
		}
		if len(p.Value) == 0 {
			empty++
		}
		for _, v := range p.Value {
			ids[v.ID]++
		}
		next = p.Next
	}
	return ids, empty
}

// shown are the ids of some kinds that a road has shown.
func (b *bench) shown(r entrasim.Road, keep func(*entrasim.Event) bool) map[string]bool {
	out := map[string]bool{}
	for _, a := range b.w.Appearances(r, time.Time{}, time.Now()) {
		if keep(a.Event) {
			out[a.Event.ID] = true
		}
	}
	return out
}

func same(t *testing.T, what string, got map[string]int, want map[string]bool, once bool) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("%s: the world shows nothing, so nothing is tested", what)
	}
	for id := range want {
		if got[id] == 0 {
			t.Errorf("%s: %s is missing", what, id)
		}
	}
	for id, n := range got {
		if !want[id] {
			t.Errorf("%s: %s is not in the world", what, id)
		}
		if once && n != 1 {
			t.Errorf("%s: %s came %d times", what, id, n)
		}
	}
}

func TestEveryRoadShowsWhatTheWorldShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, unlimited)
		defer b.c.Close()
		tenant, e := b.w.Tenant().ID, b.e
		feed := e.Activity + "/api/v1.0/" + tenant + "/activity/feed/"
		for _, content := range []string{"Audit.AzureActiveDirectory", "Audit.General", "Audit.Exchange", "Audit.SharePoint"} {
			if status, _, body, _ := b.ask(request{method: "POST", url: feed + "subscriptions/start?contentType=" + content}); status != 200 {
				t.Fatalf("start: %d %s", status, body)
			}
		}
		b.c.Faults().Blobs(tenant, cloud.BlobTricks{Late: .2, LateBy: time.Hour, EqualCreated: true, Partial: .3, PartialFor: time.Hour, NextPageURL: true, PageSize: 7})
		dir := t.TempDir()
		x, err := b.c.Export(tenant, dir, cloud.ExportTricks{Torn: true, Doubled: true, After: 5 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for range 12 {
			time.Sleep(time.Hour)
			if err := x.Advance(); err != nil {
				t.Fatal(err)
			}
		}
		b.w.Quiet()
		time.Sleep(30 * time.Hour)
		for _, root := range []string{e.Graph, e.Activity, e.LogAnalytics} {
			b.tokens[root] = accessToken(t, b.hc, e, b.w, root)
		}

		b.c.Faults().EmptyPages(3)
		kind := func(k entrasim.Kind) func(*entrasim.Event) bool {
			return func(ev *entrasim.Event) bool { return ev.Kind == k }
		}
		for _, g := range []struct {
			first string
			kind  entrasim.Kind
		}{
			{"/v1.0/auditLogs/signIns?$top=9", entrasim.InteractiveSignIn},
			{"/beta/auditLogs/signIns?$top=11&$orderby=createdDateTime", entrasim.InteractiveSignIn},
			{"/beta/auditLogs/signIns?$top=50&$filter=signInEventTypes/any(t: t eq 'nonInteractiveUser')", entrasim.NonInteractiveSignIn},
			{"/beta/auditLogs/signIns?$filter=signInEventTypes/any(t: t eq 'servicePrincipal')", entrasim.ServicePrincipalSignIn},
			{"/v1.0/auditLogs/directoryAudits?$top=2&$orderby=activityDateTime", entrasim.DirectoryAudit},
			{"/v1.0/auditLogs/provisioning", entrasim.Provisioning},
		} {
			got, empty := b.pages(e.Graph + g.first)
			want := b.shown(entrasim.Graph, kind(g.kind))
			if g.kind == entrasim.Provisioning && len(want) == 0 {
				continue
			}
			same(t, g.first, got, want, true)
			if strings.Contains(g.first, "$top=9") && empty == 0 {
				t.Error("no page came without rows")
			}
		}
		if got, _ := b.pages(e.Graph + "/v1.0/users?$top=30"); len(got) < 200 {
			t.Errorf("%d users are listed", len(got))
		}

		// The feed: day by day, every page, every blob; what is late or in part
		// is whole by now.
		got, want := map[string]int{}, map[string]bool{}
		for _, a := range b.w.Appearances(entrasim.Activity, time.Time{}, time.Now().Truncate(time.Minute)) {
			var r struct{ ID string }
			if err := json.Unmarshal(a.Event.Activity(), &r); err != nil {
				t.Fatal(err)
			}
			want[r.ID] = true
		}
		paged := false
		for _, content := range []string{"Audit.AzureActiveDirectory", "Audit.General", "Audit.Exchange", "Audit.SharePoint"} {
			for day := range 3 {
				from := time.Now().UTC().Add(-time.Duration(day+1) * 24 * time.Hour)
				next := feed + "subscriptions/content?" + url.Values{"contentType": {content}, "startTime": {from.Format("2006-01-02T15:04:05")}, "endTime": {from.Add(24 * time.Hour).Format("2006-01-02T15:04:05")}}.Encode()
				for next != "" {
					status, _, body, header := b.ask(request{url: next})
					if status != http.StatusOK {
						t.Fatalf("%s: %d %s", next, status, body)
					}
					var list []struct{ ContentURI string }
					if err := json.Unmarshal(body, &list); err != nil {
						t.Fatal(err)
					}
					for _, l := range list {
						_, _, body, _ := b.ask(request{url: l.ContentURI})
						var records []struct{ ID string }
						if err := json.Unmarshal(body, &records); err != nil {
							t.Fatalf("%s: %s", l.ContentURI, body)
						}
						for _, r := range records {
							got[r.ID]++
						}
					}
					next = header.Get("NextPageUrl")
					paged = paged || next != ""
				}
			}
		}
		same(t, "feed", got, want, false)
		if !paged {
			t.Error("no list of content had a second page")
		}

		// The workspace.
		body, _ := json.Marshal(map[string]string{"query": "AuditLogs | where ingestion_time() >= datetime(1999-01-01T00:00:00Z) | order by ingestion_time() asc"})
		_, _, answer, _ := b.ask(request{method: "POST", url: e.LogAnalytics + "/v1/workspaces/" + entrasim.Workspaces(tenant) + "/query", body: string(body)})
		var table struct {
			Tables []struct {
				Columns []struct{ Name, Type string }
				Rows    [][]any
			}
		}
		if err := json.Unmarshal(answer, &table); err != nil || len(table.Tables) != 1 {
			t.Fatalf("%v %s", err, answer)
		}
		got = map[string]int{}
		for i, c := range table.Tables[0].Columns {
			if c.Name == "Id" {
				for _, r := range table.Tables[0].Rows {
					got[r[i].(string)]++
				}
			}
		}
		same(t, "workspace", got, b.shown(entrasim.Workspace, kind(entrasim.DirectoryAudit)), false)

		// The files: every line twice, no half line left.
		if err := x.Advance(); err != nil {
			t.Fatal(err)
		}
		if err := x.Advance(); err != nil {
			t.Fatal(err)
		}
		if err := x.Rewrite(x.Files()[0]); err != nil {
			t.Fatal(err)
		}
		lines := 0
		for _, file := range x.Files() {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasSuffix(text, []byte("\n")) {
				t.Errorf("%s ends with half a line", file)
			}
			for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); lines++ {
				if !json.Valid(s.Bytes()) {
					t.Fatalf("%s: %s", file, s.Text())
				}
			}
		}
		if n := 2 * len(b.w.Appearances(entrasim.Storage, time.Time{}, time.Now())); lines != n {
			t.Errorf("%d lines in the files, %d records were exported", lines, n)
		}
	})
}

func TestTheSwitchesForTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, cloud.Limits{})
		defer b.c.Close()
		tenant, e, f := b.w.Tenant().ID, b.e, b.c.Faults()
		time.Sleep(30 * time.Minute)
		signIns, audits := e.Graph+"/v1.0/auditLogs/signIns?$top=1", e.Graph+"/v1.0/auditLogs/directoryAudits"
		expect := func(what string, r request, status int, code string) http.Header {
			t.Helper()
			got, gotCode, body, header := b.ask(r)
			if got != status || gotCode != code {
				t.Errorf("%s: %d %s, not %d %s: %s", what, got, gotCode, status, code, body)
			}
			time.Sleep(11 * time.Second) // out of reach of the limits
			return header
		}
		get := func(url string) request { return request{url: url} }

		// Five requests in ten seconds, then a refusal that counts too.
		for i := range 7 {
			status, _, _, header := b.ask(get(signIns))
			if want := 200; i < 5 && status != want {
				t.Errorf("request %d: %d", i, status)
			} else if i >= 5 && (status != 429 || header.Get("Retry-After") != "10") {
				t.Errorf("request %d: %d, Retry-After %q", i, status, header.Get("Retry-After"))
			}
		}
		time.Sleep(time.Minute)
		for form, want := range map[cloud.RetryAfter]string{cloud.Decimal: "10.000", cloud.HTTPDate: "GMT", cloud.Absent: ""} {
			f.RetryAfter(form)
			var header http.Header
			for range 6 {
				_, _, _, header = b.ask(get(signIns))
			}
			if got := header.Get("Retry-After"); !strings.HasSuffix(got, want) || want == "" && got != "" {
				t.Errorf("Retry-After %q, not %q", got, want)
			}
			time.Sleep(time.Minute)
		}
		b.ask(get(e.Graph + "/v1.0/identityProtection/riskyUsers"))
		if h := expect("two requests in a second", get(e.Graph+"/v1.0/identityProtection/riskyUsers"), 429, "TooManyRequests"); h.Get("Retry-After") != "" {
			t.Error("identity protection says when to come again")
		}

		// A licence that is missing concerns one list alone.
		b.w.SetLicence(entrasim.PremiumP1, false)
		b.w.SetLicence(entrasim.PremiumP2, false)
		expect("no licence", get(signIns), 403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")
		expect("audits without a licence", get(audits), 200, "")
		b.w.SetLicence(entrasim.PremiumP1, true)

		// Consent that is removed: the old token is good until it ends.
		b.w.Revoke(entrasim.GlasswardApp, "AuditLog.Read.All")
		expect("the token from before", get(signIns), 200, "")
		old := b.tokens[e.Graph]
		b.tokens[e.Graph] = accessToken(t, b.hc, e, b.w, e.Graph)
		expect("the token from after", get(signIns), 403, "Authentication_MSGraphPermissionMissing")
		b.tokens[e.Graph] = old
		f.Refuse(tenant, "AuditLog.Read.All", true)
		expect("refused at once", get(signIns), 403, "Authentication_MSGraphPermissionMissing")
		f.Refuse(tenant, "AuditLog.Read.All", false)
		b.w.Grant(entrasim.GlasswardApp, "AuditLog.Read.All")

		f.RevokeTokens(tenant)
		if h := expect("a token that is revoked", get(signIns), 401, "InvalidAuthenticationToken"); !strings.Contains(h.Get("WWW-Authenticate"), "insufficient_claims") {
			t.Error("there is no challenge for a revoked token")
		}
		b.tokens[e.Graph] = accessToken(t, b.hc, e, b.w, e.Graph)
		expect("a new token", get(signIns), 200, "")

		// The token endpoint.
		token := func() request {
			return request{method: "POST", url: e.Authority + "/" + tenant + "/oauth2/v2.0/token", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
				body: url.Values{"grant_type": {"client_credentials"}, "client_id": {entrasim.GlasswardApp}, "client_secret": {"s"}, "scope": {e.Graph + "/.default"}}.Encode()}
		}
		f.Block(entrasim.GlasswardApp, true)
		expect("blocked by Conditional Access", token(), 400, "53003")
		f.Block(entrasim.GlasswardApp, false)
		b.w.SetEnabled(entrasim.GlasswardApp, false)
		expect("an application that is switched off", token(), 400, "7000112")
		b.w.SetEnabled(entrasim.GlasswardApp, true)
		b.w.RemoveCredentials(entrasim.GlasswardApp)
		b.w.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s", To: time.Now().Add(time.Minute)})
		expect("a secret before its end", token(), 200, "")
		time.Sleep(time.Minute)
		expect("a secret after its end", token(), 401, "7000222")
		b.w.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s2"})

		// The canary: its failed sign-in is an event of the world.
		canary := func(name string) request {
			return request{method: "POST", url: e.Authority + "/" + tenant + "/oauth2/v2.0/token", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
				body: url.Values{"grant_type": {"password"}, "client_id": {entrasim.GlasswardApp}, "username": {name}, "password": {"wrong"}, "scope": {"openid"}}.Encode()}
		}
		_, code, body, _ := b.ask(canary(b.w.Canary().UserPrincipalName))
		var said struct {
			Trace string `json:"trace_id"`
		}
		_ = json.Unmarshal(body, &said)
		found := false
		for _, ev := range b.w.Events() {
			found = found || ev.ID == said.Trace && ev.Code == 50126 && ev.UserID == b.w.Canary().ID
		}
		if code != "50126" || !found {
			t.Errorf("the canary's sign-in: %s, and no event has the id %s: %s", code, said.Trace, body)
		}
		expect("nobody", canary("nobody@nordlicht.example"), 400, "50034")
		for range 9 {
			b.ask(canary(b.w.Canary().UserPrincipalName))
		}
		expect("too often", canary(b.w.Canary().UserPrincipalName), 400, "50053")

		// Outages, pages for people, cut answers, the clock.
		end := f.Outage(cloud.Graph, tenant)
		expect("an outage", get(signIns), 503, "serviceNotAvailable")
		end()
		end = f.HTML(cloud.Graph, tenant)
		_, _, body, header := b.ask(get(signIns))
		if !strings.HasPrefix(header.Get("Content-Type"), "text/html") || !bytes.HasPrefix(body, []byte("<!DOCTYPE")) {
			t.Errorf("no page for people: %s", body)
		}
		end()
		end = f.Add(cloud.Trouble{Service: cloud.Graph, Cut: true, Times: 1})
		req, _ := http.NewRequest(http.MethodGet, audits, nil)
		req.Header.Set("Authorization", "Bearer "+b.tokens[e.Graph])
		if resp, err := b.hc.Do(req); err == nil {
			if _, err := new(bytes.Buffer).ReadFrom(resp.Body); err == nil {
				t.Error("the answer was whole")
			}
			resp.Body.Close()
		}
		end()
		f.Clock(time.Hour)
		if at, err := http.ParseTime(expect("an hour ahead", get(signIns), 200, "").Get("Date")); err != nil || time.Until(at).Round(time.Minute) != time.Hour {
			t.Errorf("the server's clock says %v (%v)", at, err)
		}
		f.Clock(0)

		// Links.
		for trick, good := range map[cloud.LinkTrick]func(string) bool{
			cloud.SelfLink:  func(s string) bool { return !strings.Contains(s, "skiptoken") },
			cloud.OtherHost: func(s string) bool { return strings.HasPrefix(s, "https://graph.example.org/") },
			cloud.PlainHTTP: func(s string) bool { return strings.HasPrefix(s, "http://") },
		} {
			f.Links(trick)
			_, _, body, _ := b.ask(get(e.Graph + "/v1.0/users?$top=1"))
			var p struct {
				Next string `json:"@odata.nextLink"`
			}
			if json.Unmarshal(body, &p) != nil || !good(p.Next) {
				t.Errorf("trick %d: %s", trick, p.Next)
			}
		}
		f.Links(cloud.NoTrick)
		_, _, body, _ = b.ask(get(e.Graph + "/v1.0/users?$top=1"))
		var p struct {
			Next string `json:"@odata.nextLink"`
		}
		_ = json.Unmarshal(body, &p)
		expect("a link", get(p.Next), 200, "")
		expect("a link with another question", get(strings.Replace(p.Next, "$top=1", "$top=2", 1)), 400, "UnknownError")
		f.ExpireLinks()
		expect("a link that has ended", get(p.Next), 400, "UnknownError")

		// The unified audit log.
		feed := e.Activity + "/api/v1.0/" + tenant + "/activity/feed/subscriptions/"
		b.tokens[e.Activity] = func() string {
			b.w.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s"})
			b.w.RemoveCredentials(entrasim.GlasswardApp)
			b.w.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s"})
			return accessToken(t, b.hc, e, b.w, e.Activity)
		}()
		f.AuditOff(tenant, true)
		_, code, body, _ = b.ask(request{method: "POST", url: feed + "start?contentType=Audit.General"})
		if !strings.HasPrefix(code, "StartSubscription [CorrId=") || !bytes.Contains(body, []byte("DataServiceException")) || !bytes.Contains(body, []byte("does not exist")) {
			t.Errorf("audit off: %s", body)
		}
		f.AuditOff(tenant, false)
		expect("started", request{method: "POST", url: feed + "start?contentType=Audit.General"}, 200, "")
		f.DisableSubscription(tenant, entrasim.GlasswardApp, "Audit.General", true)
		expect("disabled by an administrator", get(feed+"content?contentType=Audit.General"), 400, "AF20023")
		f.TokensWithoutRoles(tenant, true)
		b.tokens[e.Activity] = accessToken(t, b.hc, e, b.w, e.Activity)
		expect("no roles", get(feed+"content?contentType=Audit.General"), 403, "AF10001")
	})
}
