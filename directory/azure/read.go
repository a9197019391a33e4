package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/directory"
	"glassward/directory/part"
	"glassward/entra"
)

// Options say what is read, and where it goes.
type Options struct {
	// Application asks Resource Manager as our application; nil where there is none.
	Application *entra.Client
	// Person asks as somebody who has signed in, nil where nobody has. What both may ask
	// is asked as the person first.
	Person *entra.Client
	// Dir is the folder of the snapshot, with a manifest.
	Dir string
	// Resume keeps the parts that the folder holds whole.
	Resume bool
	// Subscriptions are the ids of those that are read; all that are shown if it is empty.
	Subscriptions []string
	// Without are parts that are not asked for and do not stand in the manifest.
	Without []directory.Part
	// Progress is told how far a part has come: objects so far. It may be nil.
	Progress func(part directory.Part, objects, of int)
	Now      func() time.Time // nil: time.Now
}

// each says for what a part is read.
type each uint8

const (
	once each = iota
	ofSubscriptions
	ofWorkspaces
	ofTables    // of each workspace
	ofSentinels // workspaces with Microsoft Sentinel
)

// A request is how a part is asked for.
type request struct {
	part directory.Part
	path string // with {id}, of a subscription or a workspace
	each each
	role string // which would have read it
	// query is KQL that is asked of a workspace, with {id} for the workspace's own.
	query string
}

// single says whether the answer is one document and no list of pages.
func (q request) single() bool { return q.each == ofTables || q.query != "" }

// The roles by which it is read.
const (
	roleReader  = "Monitoring Reader (Azure role)"
	rolePerson  = "sign-in of a Security Administrator"
	diagnostics = "/providers/microsoft.aadiam/diagnosticSettings?api-version=2017-04-01"
)

// tables are those of a workspace that are looked at.
var tables = []string{"SigninLogs", "AuditLogs"}

// newest asks a workspace for the time of the newest record of each table, and for
// nothing else of what it holds. A table that is not there has none: the first operand of
// the union is there always, so that the others need not be.
var newest = func() string {
	none, legs := "", ""
	for _, t := range tables {
		none += fmt.Sprintf(", '%s', datetime(null)", t)
		legs += fmt.Sprintf(",\n    (%[1]s | where TimeGenerated > ago(%[2]dd) | summarize Newest = max(TimeGenerated) | extend Table = '%[1]s')", t, directory.ArrivalDays)
	}
	return "union isfuzzy=true\n    (datatable(Table: string, Newest: datetime) [" + none[2:] + "])" + legs +
		"\n| summarize Newest = max(Newest) by Table\n| extend Workspace = '{id}'"
}()

func requests() []request {
	list := []request{
		{part: directory.DiagnosticSettings, path: diagnostics, role: rolePerson},
		{part: directory.Subscriptions, path: "/subscriptions?api-version=2022-12-01", role: roleReader},
	}
	for _, x := range []struct {
		part          directory.Part
		kind, version string
	}{
		{directory.Workspaces, "Microsoft.OperationalInsights/workspaces", "2023-09-01"},
		{directory.CollectionRules, "Microsoft.Insights/dataCollectionRules", "2023-03-11"},
		{directory.AlertRules, "Microsoft.Insights/scheduledQueryRules", "2023-12-01"},
		{directory.ActivityAlerts, "Microsoft.Insights/activityLogAlerts", "2020-10-01"},
		{directory.ActionGroups, "Microsoft.Insights/actionGroups", "2023-01-01"},
		{directory.ProcessingRules, "Microsoft.AlertsManagement/actionRules", "2021-08-08"},
		{directory.Locks, "Microsoft.Authorization/locks", "2020-05-01"},
		{directory.AzureAssignments, "Microsoft.Authorization/roleAssignments", "2022-04-01"},
	} {
		list = append(list, request{part: x.part, path: "/subscriptions/{id}/providers/" + x.kind + "?api-version=" + x.version, each: ofSubscriptions, role: roleReader})
	}
	const insights = "{id}/providers/Microsoft.SecurityInsights/"
	return append(list,
		request{part: directory.WorkspaceTables, path: "{id}/tables/{table}?api-version=2023-09-01", each: ofTables, role: roleReader},
		request{part: directory.LogArrivals, path: "{id}/api/query?api-version=2017-01-01-preview&query=", each: ofWorkspaces, role: roleReader, query: newest},
		request{part: directory.OnboardingStates, path: insights + "onboardingStates?api-version=2024-09-01", each: ofWorkspaces, role: roleReader},
		// No stable version knows rules of the kind NRT.
		request{part: directory.AnalyticsRules, path: insights + "alertRules?api-version=2024-10-01-preview", each: ofSentinels, role: roleReader},
		request{part: directory.AutomationRules, path: insights + "automationRules?api-version=2024-09-01", each: ofSentinels, role: roleReader},
	)
}

// A Permission is what reads some of the parts.
type Permission struct {
	Name  string           // the role, or who has to sign in
	Parts []directory.Part // which are not read without it
	Give  string           // how it is given
}

// Permissions gives what a whole snapshot of Azure needs. Nothing of it can change
// anything.
func Permissions() []Permission {
	list := []Permission{
		{Name: roleReader, Give: "assign it to our application on the subscription of the workspace and the alert rules; Reader does as well. Of the logs it is asked when the newest record was made, and nothing else"},
		{Name: rolePerson, Give: "Azure shows the diagnostic settings of Entra to no application: --azure-token gives the token of a person"},
	}
	for _, q := range requests() {
		for i := range list {
			if list[i].Name == q.role {
				list[i].Parts = append(list[i].Parts, q.part)
			}
		}
	}
	return list
}

// Read reads what stands in Azure into the folder of a snapshot and gives the manifest
// with it. An error says that it was ended: the context ended, or the disk refuses.
func Read(ctx context.Context, o Options) (*directory.Manifest, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(directory.Part, int, int) {}
	}
	m, err := directory.ReadManifest(o.Dir)
	if err != nil {
		return nil, err
	}
	r := &reader{o: o}
	for _, c := range []*entra.Client{o.Person, o.Application} {
		if c != nil {
			r.clients = append(r.clients, c)
		}
	}
	before := map[directory.Part]directory.ManifestPart{}
	m.Parts = slices.DeleteFunc(m.Parts, func(p directory.ManifestPart) bool {
		ours := slices.ContainsFunc(requests(), func(q request) bool { return q.part == p.Part })
		if ours {
			before[p.Part] = p
		}
		return ours
	})
	for _, q := range requests() {
		if slices.Contains(o.Without, q.part) {
			continue
		}
		entry := before[q.part]
		if !o.Resume || entry.Request != q.said() || !part.Whole(o.Dir, entry) {
			if entry, err = r.part(ctx, q); err != nil {
				return nil, fmt.Errorf("read %s: %w", q.part, err)
			}
		}
		if err := r.learn(q, entry); err != nil {
			return nil, fmt.Errorf("%s: %w", q.part, err)
		}
		m.Parts = append(m.Parts, entry)
		m.Taken = o.Now().UTC()
		if err := directory.WriteManifest(o.Dir, *m); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// said is the request as the manifest has it.
func (q request) said() string { return "GET " + q.path + q.query }

// A reader reads what stands in Azure.
type reader struct {
	o       Options
	clients []*entra.Client
	// of are the ids of what parts are read for.
	of map[each][]string
	// nobody says why nobody is asked any more.
	nobody string
	// blind says of what others are read for why it is not known.
	blind map[each]string
}

// part reads one part. Its error ends the whole snapshot.
func (r *reader) part(ctx context.Context, q request) (directory.ManifestPart, error) {
	f, err := part.Create(r.o.Dir, q.part, q.said())
	if err != nil {
		return directory.ManifestPart{}, err
	}
	defer f.Close()
	t, err := r.read(ctx, q, f)
	if err != nil {
		return directory.ManifestPart{}, err
	}
	return f.Entry(r.o.Now(), t)
}

// read asks for a part, wherever it is to be had, and gives the first trouble.
func (r *reader) read(ctx context.Context, q request, f *part.File) (*part.Trouble, error) {
	var first *part.Trouble
	if why := r.blind[q.each]; why != "" {
		first = &part.Trouble{Reason: why, Permission: q.role}
	}
	n := 0
	for _, path := range r.paths(q) {
		t, err := r.ask(ctx, q, path, f, &n)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = t
		}
	}
	if q.each >= ofWorkspaces && f.Documents == 0 && first == nil {
		// There is nothing of the kind anywhere, which is an answer.
		return nil, f.Write([]byte(`{"value":[]}`))
	}
	return first, nil
}

// paths are the addresses at which a part is asked for.
func (r *reader) paths(q request) []string {
	if q.each == once {
		return []string{q.path}
	}
	names := []string{""}
	if q.each == ofTables {
		names = tables
	}
	var paths []string
	for _, id := range r.of[q.each] {
		for _, name := range names {
			path := strings.NewReplacer("{id}", id, "{table}", name).Replace(q.path)
			if q.query != "" {
				text := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(id)
				path += url.QueryEscape(strings.ReplaceAll(q.query, "{id}", text))
			}
			paths = append(paths, path)
		}
	}
	return paths
}

// ask asks for one address, as whoever may.
func (r *reader) ask(ctx context.Context, q request, path string, f *part.File, n *int) (*part.Trouble, error) {
	if r.nobody != "" {
		return &part.Trouble{Reason: r.nobody}, nil
	}
	why := &part.Trouble{Reason: "nobody is configured as whom Azure could be asked"}
	for _, c := range r.clients {
		fault, err := r.as(ctx, c, q, path, f, n)
		if err != nil || fault == nil {
			return nil, err
		}
		why = &part.Trouble{Reason: strings.TrimRight(fmt.Sprintf("Azure answered %d %s: %s", fault.Status, fault.Code, fault.Message), ": ")}
		if fault.Status == 0 {
			why.Reason = fault.Error()
		}
		if path != q.path {
			why.Reason = "of " + path[:strings.IndexByte(path, '?')] + ": " + why.Reason
		}
		switch fault.Kind {
		case entra.FaultConsent:
			why.Permission = q.role
		case entra.FaultToken:
		case entra.FaultOutage:
			if fault.Status == 0 {
				r.nobody = why.Reason
			}
			return why, nil
		default:
			return why, nil
		}
		// Another may be shown it.
	}
	return why, nil
}

// as asks for one address as one client. A fault is the service's; an error ends all.
func (r *reader) as(ctx context.Context, c *entra.Client, q request, path string, f *part.File, n *int) (*entra.Fault, error) {
	b := part.Backoff()
	fault := func(err error) (*entra.Fault, error, bool) {
		var x *entra.Fault
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err(), true
		case !errors.As(err, &x):
			return nil, err, true
		case part.Again(ctx, err, b):
			return nil, nil, false
		case ctx.Err() != nil:
			return nil, ctx.Err(), true
		}
		return x, nil, true
	}
	if q.single() {
		for {
			answer, err := c.Get(ctx, path, nil)
			if err == nil {
				return nil, f.Write(answer.Body)
			}
			if q.answers(err) {
				return nil, nil
			}
			if x, err, done := fault(err); done {
				return x, err
			}
		}
	}
	for next, seen := path, map[string]bool{}; ; {
		err := error(nil)
		for page, bad := range c.Pages(ctx, next, nil) {
			if err = bad; err != nil {
				break
			}
			if q.part == directory.Subscriptions && len(page.Value) == 0 && next == path {
				// Who holds no role is shown an empty list.
				return &entra.Fault{Kind: entra.FaultConsent, Status: page.Status, Code: "NoSubscription", Message: "no subscription is shown to who asks"}, nil
			}
			if err := f.Write(page.Body); err != nil {
				return nil, err
			}
			*n += len(page.Value)
			r.o.Progress(q.part, *n, 0)
			b.Reset()
			if page.Last {
				return nil, nil
			}
			if next = page.Next; seen[next] {
				return &entra.Fault{Kind: entra.FaultContent, Status: page.Status, Code: "NextLinkRepeated", Message: "the pages turn in circles"}, nil
			}
			seen[next] = true
		}
		if q.answers(err) {
			return nil, nil
		}
		if x, err, done := fault(err); done {
			return x, err
		}
	}
}

// answers says whether a refusal is the answer that there is no such thing: a workspace
// without the table, or without Microsoft Sentinel, or in a subscription that never had it.
func (q request) answers(err error) bool {
	var x *entra.Fault
	if !errors.As(err, &x) {
		return false
	}
	switch q.part {
	case directory.WorkspaceTables:
		return x.Status == http.StatusNotFound && x.Code == "ResourceNotFound"
	case directory.OnboardingStates:
		return x.Status == http.StatusNotFound && (x.Code == "ResourceNotFound" || x.Code == "NotFound") ||
			x.Code == "MissingSubscriptionRegistration" ||
			x.Status == http.StatusBadRequest && (strings.Contains(x.Message, "is not onboarded to Microsoft Sentinel") || strings.Contains(x.Message, "is not registered to 'Microsoft.SecurityInsights'"))
	}
	return false
}

// learn takes from a part what others are read for.
func (r *reader) learn(q request, entry directory.ManifestPart) error {
	var of []each
	switch q.part {
	case directory.Subscriptions:
		of = []each{ofSubscriptions}
	case directory.Workspaces:
		of = []each{ofWorkspaces, ofTables}
	case directory.OnboardingStates:
		of = []each{ofSentinels}
	default:
		return nil
	}
	if r.of == nil {
		r.of, r.blind = map[each][]string{}, map[each]string{}
	}
	if q.part == directory.Subscriptions && len(r.o.Subscriptions) > 0 {
		r.of[ofSubscriptions] = r.o.Subscriptions
		return nil
	}
	ids, err := r.ids(entry)
	if err != nil {
		return err
	}
	for _, e := range of {
		r.of[e] = ids
		if entry.Read == nil || entry.Incomplete {
			r.blind[e] = fmt.Sprintf("%s were not read whole: %s", q.part, entry.Reason)
		}
	}
	return nil
}

// ids gives what stands in a part: subscriptions by their GUIDs, workspaces by their
// paths, and of the states of Microsoft Sentinel the workspaces that they are of.
func (r *reader) ids(entry directory.ManifestPart) ([]string, error) {
	var ids []string
	for _, file := range entry.Files {
		in, err := os.Open(filepath.Join(r.o.Dir, filepath.FromSlash(file.Path)))
		if err != nil {
			return nil, err
		}
		defer in.Close()
		for d := json.NewDecoder(in); ; {
			var page struct {
				Value []struct {
					ID           string `json:"id"`
					Subscription string `json:"subscriptionId"`
				}
			}
			var shape *json.UnmarshalTypeError
			if err := d.Decode(&page); errors.Is(err, io.EOF) {
				break
			} else if err != nil && !errors.As(err, &shape) { // of another shape: opening it tells that
				return nil, err
			}
			for _, x := range page.Value {
				id, good := x.ID, true
				switch entry.Part {
				case directory.Subscriptions:
					id = strings.ToLower(x.Subscription)
					good = glassward.IsGUID(id)
				case directory.OnboardingStates:
					id = (&directory.OnboardingState{Resource: directory.Resource{ID: x.ID}}).Workspace()
					fallthrough
				default:
					good = strings.HasPrefix(id, "/") && !strings.ContainsAny(id, "?#")
				}
				if good && !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			}
		}
	}
	return ids, nil
}
