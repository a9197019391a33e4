package entra_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"glassward/entra"
)

// walk follows a list and tells what came: entries of each page, then the end.
func walk(t *testing.T, c *entra.Client, first string) string {
	t.Helper()
	var said []string
	for page, err := range c.Pages(t.Context(), first, http.Header{"Prefer": {"x"}}) {
		if err != nil {
			f := fault(t, err)
			said = append(said, string(f.Kind)+" "+f.Code)
			continue
		}
		said = append(said, fmt.Sprint(len(page.Value)))
		if page.Last != (page.Next == "") {
			t.Errorf("last %v, next %q", page.Last, page.Next)
		}
		if page.Last {
			said = append(said, "end")
		}
	}
	return strings.Join(said, ", ")
}

func TestPages(t *testing.T) {
	const g = "https://graph.microsoft.com"
	const first = "/v1.0/auditLogs/signIns?$top=2"
	for _, c := range []struct {
		name  string
		pages map[string]string
		want  string
	}{
		{"one", map[string]string{first: `{"value":[{},{}]}`}, "2, end"},
		{"none", map[string]string{first: `{"@odata.context":"x","value":[]}`}, "0, end"},
		{"three, one of them empty", map[string]string{
			first:                                  `{"value":[{},{}],"@odata.nextLink":"` + g + signIns + `?$skiptoken=a"}`,
			"/v1.0/auditLogs/signIns?$skiptoken=a": `{"value":[],"@odata.nextLink":"` + g + ":443" + signIns + `?$skiptoken=b"}`,
			"/v1.0/auditLogs/signIns?$skiptoken=b": `{"value":[{}],"@odata.nextLink":null}`,
		}, "2, 0, 1, end"},
		{"a link to itself", map[string]string{first: `{"value":[{}],"@odata.nextLink":"` + g + first + `"}`}, "content NextLinkRepeated"},
		{"a circle", map[string]string{
			first:                                  `{"value":[{}],"@odata.nextLink":"` + g + signIns + `?$skiptoken=a"}`,
			"/v1.0/auditLogs/signIns?$skiptoken=a": `{"value":[{}],"@odata.nextLink":"` + g + signIns + `?$skiptoken=b"}`,
			"/v1.0/auditLogs/signIns?$skiptoken=b": `{"value":[{}],"@odata.nextLink":"` + g + signIns + `?$skiptoken=a"}`,
		}, "1, 1, content NextLinkRepeated"},
		{"another host", map[string]string{first: `{"value":[{}],"@odata.nextLink":"https://graph.microsoft.evil` + signIns + `"}`}, "content NextLinkElsewhere"},
		{"without TLS", map[string]string{first: `{"value":[{}],"@odata.nextLink":"http://graph.microsoft.com` + signIns + `"}`}, "content NextLinkElsewhere"},
		{"another list", map[string]string{first: `{"value":[{}],"@odata.nextLink":"` + g + `/v1.0/auditLogs/directoryAudits?$skiptoken=a"}`}, "content NextLinkElsewhere"},
		{"no value", map[string]string{first: `{"error":null}`}, "content NoValue"},
		{"value is null", map[string]string{first: `{"value":null}`}, "content NoValue"},
		{"value is an object", map[string]string{first: `{"value":{}}`}, "content NoValue"},
		{"a list", map[string]string{first: `[{}]`}, "content NotJSON"},
		{"not JSON inside", map[string]string{first: `{"value":[{]}`}, "content NotJSON"},
		{"a link that is a number", map[string]string{first: `{"value":[],"@odata.nextLink":7}`}, "content NotJSON"},
		{"a lost place", map[string]string{
			first: `{"value":[{}],"@odata.nextLink":"` + g + signIns + `?$skiptoken=gone"}`,
		}, "1, position "},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTenant(t)
			client := s.client(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Prefer") != "x" {
					t.Error("the header does not go with each page")
				}
				body, ok := c.pages[r.URL.RequestURI()]
				if !ok {
					w.WriteHeader(400)
					body = `{"error":{"code":"","message":"Invalid Skip Token, skip token is null"}}`
				}
				fmt.Fprint(w, body)
			})
			if got := walk(t, client, first); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestAnEndlessListEnds: a service that always has a further page is left at last.
func TestAnEndlessListEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTenant(t)
		s.life = 24 * time.Hour
		n := 0
		client := s.client(t, func(w http.ResponseWriter, r *http.Request) {
			n++
			fmt.Fprintf(w, `{"value":[],"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=%d"}`, n)
		})
		if got := walk(t, client, "/v1.0/users"); !strings.HasSuffix(got, "content TooManyPages") || n != 2000 {
			t.Errorf("%d pages, %s", n, got[len(got)-40:])
		}
	})
}

// TestAReaderThatHasEnoughStopsTheChain.
func TestAReaderThatHasEnoughStopsTheChain(t *testing.T) {
	s := newTenant(t)
	n := 0
	client := s.client(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		fmt.Fprintf(w, `{"value":[{}],"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=%d"}`, n)
	})
	for range client.Pages(t.Context(), "/v1.0/users", nil) {
		break
	}
	if n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestPagesOfTheActivityAPI(t *testing.T) {
	const feed = "/api/v1.0/" + tenantID + "/activity/feed/subscriptions/content"
	for _, c := range []struct{ name, header, next, body, want string }{
		{"last", "", "", `[{},{}]`, "2, end"},
		{"empty", "", "", `[]`, "0, end"},
		{"named as documented", "NextPageUri", "https://manage.office.com" + feed + "?nextPage=b", `[{}]`, "1, 0, end"},
		{"named as in samples, and of another version", "Nextpageurl", "https://manage.office.com" + strings.Replace(feed, "v1.0", "v1", 1) + "?nextPage=b", `[{}]`, "1, 0, end"},
		{"another tenant", "NextPageUri", "https://manage.office.com" + strings.Replace(feed, tenantID, clientID, 1), `[{}]`, "content NextLinkElsewhere"},
		{"another host", "NextPageUri", "https://manage.office.evil" + feed, `[{}]`, "content NextLinkElsewhere"},
		{"an object", "", "", `{"value":[]}`, "content NoValue"},
		{"null", "", "", `[null]`, "1, end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTenant(t)
			s.graph = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Has("nextPage") {
					fmt.Fprint(w, `[]`)
					return
				}
				if c.header != "" {
					w.Header().Set(c.header, c.next)
				}
				fmt.Fprint(w, c.body)
			})
			client := entra.NewClient(entra.ClientOptions{Service: entra.Activity, Cloud: s.cloud, Credential: s.credential(t), HTTP: s.http()})
			if got := walk(t, client, feed+"?contentType=Audit.General"); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
