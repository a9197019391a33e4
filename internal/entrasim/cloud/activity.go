package cloud

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"glassward/internal/entrasim"
)

// contents are the content types of the Activity API.
var contents = []string{"Audit.AzureActiveDirectory", "Audit.Exchange", "Audit.SharePoint", "Audit.General", "DLP.All"}

var guidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// feedForms are the ways in which the Activity API takes a time; all are UTC.
var feedForms = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"}

// A feedCall is one request to the Activity API whose token was accepted.
type feedCall struct {
	w      http.ResponseWriter
	r      *http.Request
	q      url.Values
	t      *tenant
	claims *claims
	now    time.Time // of the world
}

// activity serves the Office 365 Management Activity API.
func (c *Cloud) activity() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(status int, code, message string) {
			answer(w, status, object{"error": object{"code": code, "message": message}})
		}
		k, err := c.readToken(bearer(r))
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"`)
			answer(w, http.StatusUnauthorized, object{"Message": "Authorization has been denied for this request."})
			return
		}
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		if len(parts) < 5 || parts[0] != "api" || parts[1] != "v1.0" && parts[1] != "v1" || parts[3] != "activity" || parts[4] != "feed" {
			http.NotFound(w, r)
			return
		}
		if !guidForm.MatchString(parts[2]) {
			refuse(http.StatusBadRequest, "AF20013", "The tenant ID passed in the URL ("+parts[2]+") is not a valid GUID.")
			return
		}
		if !strings.EqualFold(parts[2], k.Tenant) {
			refuse(http.StatusBadRequest, "AF20010", "The tenant ID passed in the URL ("+parts[2]+") does not match the tenant ID passed in the access token ("+k.Tenant+").")
			return
		}
		t, ok := c.tenant(k.Tenant)
		if !ok {
			refuse(http.StatusBadRequest, "AF20011", "Specified tenant ID ("+parts[2]+") does not exist in the system or has been deleted.")
			return
		}
		if s, ok := c.service(t, k.Audience); !ok || s != Activity {
			answer(w, http.StatusUnauthorized, object{"Message": "Authorization has been denied for this request."})
			return
		}
		pool := "everybody" // who does not say who he is shares one pool
		publisher := query(r, "PublisherIdentifier")
		if publisher != "" {
			pool = t.id
		}
		if _, ok := c.pass("activity/"+pool, c.o.Limits.Activity, time.Minute); !ok {
			refuse(http.StatusForbidden, "AF429", "Too many requests. Method=GetBlob, PublisherId="+publisher)
			return
		}
		if !k.has("ActivityFeed.Read") || c.faults.is(c.faults.cut, t.id+"/ActivityFeed.Read") {
			refuse(http.StatusForbidden, "AF10001", "The permission set ("+strings.Join(k.Roles, " ")+") sent in the request did not include the expected permission ActivityFeed.Read.")
			return
		}
		if !t.world.Licensed(entrasim.Office) {
			refuse(http.StatusBadRequest, "AF20012", "The specified tenant ID ("+t.id+") is incorrectly configured in the system.")
			return
		}
		g := &feedCall{w, r, r.URL.Query(), t, k, c.live(t)}
		t.feed.build(g.now)
		var f *feedFault
		switch path := strings.Join(parts[5:], "/"); {
		case path == "subscriptions/start" && r.Method == http.MethodPost:
			f = c.startFeed(g)
		case path == "subscriptions/stop" && r.Method == http.MethodPost:
			f = c.stopFeed(g)
		case path == "subscriptions/list" && r.Method == http.MethodGet:
			c.listFeeds(g)
		case path == "subscriptions/content" && r.Method == http.MethodGet:
			f = c.content(g)
		case path == "subscriptions/notifications" && r.Method == http.MethodGet:
			answer(w, http.StatusOK, []object{})
		case len(parts) == 7 && parts[5] == "audit" && r.Method == http.MethodGet:
			f = c.blob(g, parts[6])
		case strings.HasPrefix(path, "subscriptions/") || strings.HasPrefix(path, "audit/"):
			answer(w, http.StatusMethodNotAllowed, object{"Message": "The requested resource does not support http method '" + r.Method + "'."})
		default:
			http.NotFound(w, r)
		}
		if f != nil {
			refuse(f.status, f.code, f.message)
		}
	})
}

type feedFault struct {
	status        int
	code, message string
}

func badFeed(code, message string) *feedFault {
	return &feedFault{http.StatusBadRequest, code, message}
}

// query reads a parameter whose name may be written in any case.
func query(r *http.Request, name string) string {
	for k, v := range r.URL.Query() {
		if strings.EqualFold(k, name) {
			return v[0]
		}
	}
	return ""
}

func (g *feedCall) contentType() (string, *feedFault) {
	name := query(g.r, "contentType")
	if name == "" {
		return "", badFeed("AF20001", "Missing parameter: contentType.")
	}
	if !slices.Contains(contents, name) {
		return "", badFeed("AF20020", "The specified content type is not valid.")
	}
	if name == "DLP.All" && !g.claims.has("ActivityFeed.ReadDlp") {
		return "", &feedFault{http.StatusForbidden, "AF10001", "The permission set (" + strings.Join(g.claims.Roles, " ") + ") sent in the request did not include the expected permission ActivityFeed.ReadDlp."}
	}
	return name, nil
}

func (c *Cloud) startFeed(g *feedCall) *feedFault {
	name, f := g.contentType()
	if f != nil {
		return f
	}
	var in struct {
		Webhook *struct {
			Address    string `json:"address"`
			AuthID     string `json:"authId"`
			Expiration string `json:"expiration"`
		} `json:"webhook"`
	}
	if err := json.NewDecoder(io.LimitReader(g.r.Body, 1<<20)).Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		return badFeed("AF20002", "Invalid parameter type: webhook. Expected type: object")
	}
	if in.Webhook != nil {
		return badFeed("AF20021", "The webhook endpoint ("+in.Webhook.Address+") could not be validated. Could not connect.")
	}
	feed := g.t.feed
	feed.mu.Lock()
	defer feed.mu.Unlock()
	if feed.off {
		// The body breaks at the first colon: so the service does it.
		head := "StartSubscription [CorrId=" + g.r.Header.Get(requestID) + "][TenantId=" + g.t.id + ",ContentType=" + name + ",ApplicationId=" + g.claims.AppID + ",PublisherId=" + query(g.r, "PublisherIdentifier") + "][AppId"
		return badFeed(head, g.claims.AppID+"] failed. Exception: Microsoft.Office.Compliance.Audit.DataServiceException: Tenant "+g.t.id+" does not exist.\r\n   at Microsoft.Office.Compliance.Audit.API.AzureManager.<GetSubscriptionTableClientForTenantAsync>d__52.MoveNext()")
	}
	s := feed.subscription(g.claims.AppID, name)
	if s.disabled {
		return badFeed("AF20023", "The subscription was disabled by a tenant admin.")
	}
	if s.on {
		return badFeed("AF20024", "The subscription is already enabled. No property change.")
	}
	s.start(g.now, c.o.Warm)
	answer(g.w, http.StatusOK, object{"contentType": name, "status": "enabled", "webhook": nil})
	return nil
}

func (c *Cloud) stopFeed(g *feedCall) *feedFault {
	name, f := g.contentType()
	if f != nil {
		return f
	}
	g.t.feed.mu.Lock()
	defer g.t.feed.mu.Unlock()
	s := g.t.feed.subscription(g.claims.AppID, name)
	if len(s.spans) == 0 {
		return badFeed("AF20022", "No subscription found for the specified content type")
	}
	s.stop(g.now)
	g.w.WriteHeader(http.StatusOK)
	return nil
}

func (c *Cloud) listFeeds(g *feedCall) {
	g.t.feed.mu.Lock()
	defer g.t.feed.mu.Unlock()
	out := []object{}
	for _, name := range contents {
		s := g.t.feed.subscription(g.claims.AppID, name)
		if len(s.spans) == 0 {
			continue
		}
		status := "disabled"
		if s.on {
			status = "enabled"
		}
		out = append(out, object{"contentType": name, "status": status, "webhook": nil})
	}
	answer(g.w, http.StatusOK, out)
}

const windowRule = "Start time and end time must both be specified (or both omitted) and must be less than or equal to 24 hours apart, with the start time prior to end time and start time no more than 7 days in the past."

// window reads the times between which content is asked for.
func (c *Cloud) window(g *feedCall) (from, to time.Time, f *feedFault) {
	now := c.now().UTC()
	start, end := query(g.r, "startTime"), query(g.r, "endTime")
	if start == "" && end == "" {
		return now.Add(-24 * time.Hour), now, nil
	}
	if start == "" || end == "" {
		return from, to, badFeed("AF20030", windowRule)
	}
	for _, p := range []struct {
		name, text string
		into       *time.Time
	}{{"startTime", start, &from}, {"endTime", end, &to}} {
		ok := false
		for _, form := range feedForms {
			if at, err := time.Parse(form, p.text); err == nil && at.Format(form) == p.text {
				*p.into, ok = at, true
				break
			}
		}
		if !ok {
			return from, to, badFeed("AF20002", "Invalid parameter type: "+p.name+". Expected type: DateTime")
		}
	}
	if !from.Before(to) {
		return from, to, badFeed("AF20030", windowRule)
	}
	// In practice an hour more is let pass.
	if from.Before(now.Add(-blobLife - time.Hour)) {
		return from, to, badFeed("AF20055", windowRule)
	}
	// A longer span is no error: it gives a part of what was asked for.
	if to.Sub(from) > 24*time.Hour {
		to = from.Add(24 * time.Hour)
	}
	return from, to, nil
}

func (c *Cloud) content(g *feedCall) *feedFault {
	name, f := g.contentType()
	if f != nil {
		return f
	}
	from, to, f := c.window(g)
	if f != nil {
		return f
	}
	feed := g.t.feed
	feed.mu.Lock()
	defer feed.mu.Unlock()
	s := feed.subscription(g.claims.AppID, name)
	switch {
	case s.disabled:
		return badFeed("AF20023", "The subscription was disabled by a tenant admin.")
	case !s.on:
		return badFeed("AF20022", "No subscription found for the specified content type")
	}
	var list []*blob
	if token := query(g.r, "nextPage"); token != "" {
		var ok bool
		if list, ok = feed.pages[token]; !ok {
			return badFeed("AF20031", "Invalid nextPage Input: "+token+".")
		}
	} else if !feed.off {
		list = feed.list(s, name, from, to, g.now)
	}
	size := feed.tricks.PageSize
	if size == 0 {
		size = 200
	}
	base := "https://" + g.r.Host + "/api/v1.0/" + g.t.id + "/activity/feed/"
	if len(list) > size {
		token := opaque()
		if len(feed.pages) > 2000 {
			clear(feed.pages) // old links are refused, as they are there
		}
		feed.pages[token] = list[size:]
		list = list[:size]
		header, root := "NextPageUri", base
		if feed.tricks.NextPageURL {
			header, root = "NextPageUrl", strings.Replace(base, "/api/v1.0/", "/api/v1/", 1)
		}
		q := url.Values{"contentType": {name}, "nextPage": {token}}
		if v := query(g.r, "startTime"); v != "" {
			q.Set("startTime", v)
			q.Set("endTime", query(g.r, "endTime"))
		}
		if v := query(g.r, "PublisherIdentifier"); v != "" {
			q.Set("PublisherIdentifier", v)
		}
		g.w.Header()[header] = []string{root + "subscriptions/content?" + q.Encode()}
	}
	out := []object{}
	for _, b := range list {
		out = append(out, object{
			"contentType": name, "contentId": b.id, "contentUri": base + "audit/" + b.id,
			"contentCreated": b.created.UTC().Format("2006-01-02T15:04:05.000Z"), "contentExpiration": b.created.Add(blobLife).UTC().Format("2006-01-02T15:04:05.000Z"),
		})
	}
	answer(g.w, http.StatusOK, out)
	return nil
}

var blobForm = regexp.MustCompile(`^\d{23}\$\d{23}\$[a-z_]+\$[A-Za-z_]+\$[a-z]+\d+$`)

func (c *Cloud) blob(g *feedCall, id string) *feedFault {
	if !blobForm.MatchString(id) {
		return badFeed("AF20052", "Content requested with the key "+id+" is not valid.")
	}
	g.t.feed.mu.Lock()
	b := g.t.feed.byID[id]
	g.t.feed.mu.Unlock()
	if created, err := time.Parse("20060102150405", id[:14]); err == nil && created.Add(blobLife).Before(c.now()) {
		return badFeed("AF20051", "Content requested with the key "+id+" has already expired. Content older than 7 days cannot be retrieved.")
	}
	if b == nil || b.listed.After(g.now) {
		return badFeed("AF20050", "The specified content ("+id+") does not exist.")
	}
	raw(g.w, http.StatusOK, b.body(g.now))
	return nil
}
