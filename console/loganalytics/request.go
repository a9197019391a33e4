// Package loganalytics is the wire format of Azure's Log Analytics query API, version
// v1: what clients send, and what they are answered, byte for byte where one can see it.
// It knows nothing of HTTP's routes, of access and of where answers come from.
//
// The specification is Microsoft's "Azure Monitor Log Analytics API", with what its
// documentation leaves open taken from Microsoft's own clients.
package loganalytics

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Query is what a client asks.
type Query struct {
	// Text is KQL.
	Text string
	// Timespans are in ISO 8601 (PT2H, start/end, …). A query may have one in its address
	// and one in its body, and is restricted by both.
	Timespans []string
	// Workspaces are those that are read beside the one that the address names, each by
	// its name, its id, subscription/group/name, or its id in Azure.
	Workspaces []string
}

// MaxWorkspaces is how many workspaces a query may name beside the one that is asked.
const MaxWorkspaces = 100

// ErrNoQuery says that a request has no query.
var ErrNoQuery = errors.New(`the request has no query: send {"query": "…"}`)

// ReadQuery reads the body of a request, with what its address says beside. Members that
// are not known are passed over, as the service does.
func ReadQuery(body io.Reader, address url.Values) (Query, error) {
	var b struct {
		Query      string   `json:"query"`
		Timespan   string   `json:"timespan"`
		Workspaces []string `json:"workspaces"`
		// What the name of the service was before, and applications are named by.
		Applications []string `json:"applications"`
	}
	d := json.NewDecoder(body)
	if err := d.Decode(&b); err != nil {
		return Query{}, fmt.Errorf(`the body is not JSON of the form {"query": "…", "timespan": "PT1H"}: %w`, err)
	}
	if len(b.Applications) > 0 {
		return Query{}, errors.New("applications are not kept here: a query reads workspaces")
	}
	q, err := QueryOf(address)
	if err != nil && !errors.Is(err, ErrNoQuery) {
		return Query{}, err
	}
	if b.Query != "" {
		q.Text = b.Query
	}
	if b.Timespan != "" {
		q.Timespans = append(q.Timespans, b.Timespan)
	}
	q.Workspaces = append(q.Workspaces, b.Workspaces...)
	return q, q.check()
}

// QueryOf reads a query that stands in an address alone: query, timespan, workspaces.
func QueryOf(address url.Values) (Query, error) {
	q := Query{Text: address.Get("query")}
	for _, span := range address["timespan"] {
		if span != "" {
			q.Timespans = append(q.Timespans, span)
		}
	}
	for _, list := range address["workspaces"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" {
				q.Workspaces = append(q.Workspaces, name)
			}
		}
	}
	return q, q.check()
}

func (q Query) check() error {
	if len(q.Workspaces) > MaxWorkspaces {
		return fmt.Errorf("the request names %d workspaces, at most %d can be asked together", len(q.Workspaces), MaxWorkspaces)
	}
	if strings.TrimSpace(q.Text) == "" {
		return ErrNoQuery
	}
	return nil
}

// WorkspaceName gives what a way of naming a workspace names it by: of
// subscription/group/name, and of its id in Azure, the last part.
func WorkspaceName(id string) string {
	parts := strings.Split(strings.Trim(id, "/"), "/")
	switch {
	case len(parts) == 3:
		return parts[2]
	case isResource(parts):
		return parts[7]
	}
	return id
}

// isResource says whether the parts of an address are those of a workspace's id in Azure:
// subscriptions/S/resourceGroups/G/providers/Microsoft.OperationalInsights/workspaces/NAME.
func isResource(parts []string) bool {
	if len(parts) < 8 {
		return false
	}
	for i, want := range map[int]string{0: "subscriptions", 2: "resourcegroups", 4: "providers", 5: "microsoft.operationalinsights", 6: "workspaces"} {
		if !strings.EqualFold(parts[i], want) {
			return false
		}
	}
	return parts[7] != ""
}

// Address gives the path of ours that a path of the service means, and whether it is one:
// the version may be left out, and the workspace may stand there by its id in Azure, also
// as Resource Manager has it, with api before query.
//
//	/v1/subscriptions/S/resourceGroups/G/providers/Microsoft.OperationalInsights/workspaces/NAME/query
//	/subscriptions/S/…/workspaces/NAME/api/query
//	/workspaces/NAME/query
func Address(path string) (string, bool) {
	rest, _ := strings.CutPrefix(path, "/v1")
	parts := strings.Split(strings.TrimPrefix(rest, "/"), "/")
	what := parts[len(parts)-1]
	switch {
	case isResource(parts) && len(parts) == 10 && strings.EqualFold(parts[8], "api"), isResource(parts) && len(parts) == 9:
		if what == "query" || what == "metadata" {
			return "/v1/workspaces/" + parts[7] + "/" + what, true
		}
	case len(parts) == 3 && parts[0] == "workspaces" && (what == "query" || what == "metadata"):
		return "/v1" + rest, true
	case rest == "/$batch":
		return "/v1/$batch", true
	}
	return path, false
}

// Preferences are what the header Prefer asks for.
type Preferences struct {
	// Wait is how long the client waits, less than a day; 0 where it does not say.
	Wait time.Duration
	// Statistics and Render ask for these members of the answer.
	Statistics, Render bool
}

// MaxWait is how long a query may run at most, and all of a batch.
const MaxWait = 10 * time.Minute

// ReadPreferences reads the values of the header Prefer; what it does not know it passes
// over, as RFC 7240 has it.
func ReadPreferences(values []string) (p Preferences) {
	for _, list := range values {
		for item := range strings.SplitSeq(list, ",") {
			name, v, _ := strings.Cut(strings.TrimSpace(item), "=")
			v = strings.Trim(strings.TrimSpace(v), `"`)
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "wait":
				if seconds, err := strconv.ParseFloat(v, 64); err == nil && seconds > 0 && seconds < 86_400 {
					p.Wait = time.Duration(seconds * float64(time.Second))
				}
			case "include-statistics":
				p.Statistics = strings.EqualFold(v, "true")
			case "include-render":
				p.Render = strings.EqualFold(v, "true")
			}
		}
	}
	return p
}
