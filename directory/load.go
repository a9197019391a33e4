package directory

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"

	"glassward/directory/truth"
)

// Limits bound what a snapshot may cost. Zero means the default.
type Limits struct {
	// Bytes is how many bytes its files may hold together, unpacked: 2 GiB.
	Bytes int64
	// Ratio is how many times larger an archive may become, once it is larger than
	// 64 MiB: 100.
	Ratio int64
	// Files is how many files there may be: 200,000.
	Files int
	// Progress, if it is not nil, is told after each file how many bytes were read and how
	// many there are, unpacked; of these 0 where that is not known beforehand.
	Progress func(read, of int64)
}

func (l Limits) whole() Limits {
	if l.Bytes == 0 {
		l.Bytes = 2 << 30
	}
	if l.Ratio == 0 {
		l.Ratio = 100
	}
	if l.Files == 0 {
		l.Files = 200_000
	}
	return l
}

// freeSize is what any archive may unpack to, however well it packs.
const freeSize = 64 << 20

// Open reads a snapshot: a folder or a zip archive with a manifest, a folder or
// archive of files that have the names of parts, or Conditional Access policies as
// they were exported, in one file or a folder of them.
//
// An error says that there is no snapshot: nothing could be read, it was made by a
// newer version, an archive holds paths that lead out of it or unpacks beyond all
// bounds. Everything less, a file that is missing or changed, JSON that is none,
// wrong types, leaves its part unread or incomplete with the reason, and the rest
// is there.
func Open(name string, limits Limits) (*Snapshot, error) {
	limits = limits.whole()
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		root, err := os.OpenRoot(name)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		return wrap(name)(load(root.FS(), limits))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 4)
	if n, _ := io.ReadFull(f, head); n == 4 && string(head[:2]) == "PK" {
		return wrap(name)(Unzip(f, info.Size(), limits))
	}
	if info.Size() > limits.Bytes {
		return nil, fmt.Errorf("%s: holds %d bytes, more than the %d that are allowed", name, info.Size(), limits.Bytes)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return wrap(name)(FromPolicies(text))
}

func wrap(name string) func(*Snapshot, error) (*Snapshot, error) {
	return func(s *Snapshot, err error) (*Snapshot, error) {
		if err != nil {
			return nil, fmt.Errorf("snapshot %s: %w", name, err)
		}
		return s, nil
	}
}

// Unzip reads a snapshot from a zip archive of the given size, as Open does.
func Unzip(r io.ReaderAt, size int64, limits Limits) (*Snapshot, error) {
	limits = limits.whole()
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, err
	}
	var total uint64
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, "/")
		if !fs.ValidPath(name) || strings.Contains(name, `\`) || f.Mode()&fs.ModeSymlink != 0 {
			return nil, fmt.Errorf("%w: %q", errClimbs, f.Name)
		}
		if total += f.UncompressedSize64; f.UncompressedSize64 > uint64(limits.Bytes) || total > uint64(limits.Bytes) {
			return nil, fmt.Errorf("the archive unpacks to more than %d bytes", limits.Bytes)
		}
	}
	if total > freeSize && total > uint64(size)*uint64(limits.Ratio) {
		return nil, fmt.Errorf("the archive of %d bytes unpacks to %d: that is no snapshot", size, total)
	}
	return load(z, limits)
}

// load reads a snapshot from a file system.
func load(fsys fs.FS, limits Limits) (*Snapshot, error) {
	l := &loader{fsys: fsys, left: limits.Bytes, files: limits.Files, shared: shared{}, progress: limits.Progress}
	b, err := l.file(ManifestName)
	switch {
	case err == nil:
		m, err := readManifest(b)
		if err != nil {
			return nil, err
		}
		return l.manifest(m)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return l.loose()
}

// A loader gathers contents.
type loader struct {
	fsys   fs.FS
	left   int64
	files  int
	shared shared
	c      Contents

	progress func(read, of int64)
	read, of int64
}

var errTooMuch = errors.New("the snapshot is larger than is allowed")

// file reads a file within what is left of the bounds: what an archive's directory
// says of sizes is only believed as far as it is kept.
func (l *loader) file(name string) ([]byte, error) {
	if l.files--; l.files < 0 {
		return nil, fmt.Errorf("%w: too many files", errTooMuch)
	}
	f, err := l.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		b.Grow(int(min(info.Size(), l.left)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(io.LimitReader(f, l.left+1)); err != nil {
		return nil, err
	}
	if l.left -= int64(b.Len()); l.left < 0 {
		return nil, fmt.Errorf("%w: at %s", errTooMuch, name)
	}
	if l.read += int64(b.Len()); l.progress != nil {
		l.progress(l.read, l.of)
	}
	return b.Bytes(), nil
}

func (l *loader) manifest(m *Manifest) (*Snapshot, error) {
	l.c.Tenant, l.c.Taken, l.c.Version = lowerID(m.Tenant), m.Taken.UTC(), m.Version
	if l.progress != nil {
		l.of = l.read
		for _, p := range m.Parts {
			for _, f := range p.Files {
				// A file that is missing is told when it is read.
				if info, err := fs.Stat(l.fsys, f.Path); err == nil {
					l.of += info.Size()
				}
			}
		}
	}
	for _, p := range m.Parts {
		if !slices.Contains(Parts(), p.Part) {
			continue // of a later version that still is version 1
		}
		r := Reading{State: Read, Reason: p.Reason, Permission: p.Permission}
		if p.Read != nil {
			r.At = p.Read.UTC()
		}
		if len(p.Files) == 0 {
			r.State = Unread
			if r.Reason == "" {
				r.Reason = "the snapshot does not hold it and does not say why"
			}
		} else if p.Incomplete {
			r.State = Incomplete
		}
		err := l.part(p.Part, lowerID(p.Object), l.pages(p.Files, &r), &r)
		if err != nil {
			return nil, err
		}
	}
	return l.whole(), nil
}

// whole makes the snapshot of what was gathered.
func (l *loader) whole() *Snapshot {
	number(l.c.Policies)
	l.c.Methods = wholeMethods(l.c.Methods, l.c.BetaMethods)
	return New(l.c)
}

// pages gives the documents of files, one file after another: of a large tenant they are
// hundreds of megabytes, of which one file is held at a time. A file that cannot be read
// makes the reading incomplete, and it is unread if none can. It ends with errTooMuch
// alone.
func (l *loader) pages(files []ManifestFile, r *Reading) iter.Seq2[node, error] {
	return func(yield func(node, error) bool) {
		some := false
		for _, f := range files {
			b, err := l.file(f.Path)
			if errors.Is(err, errTooMuch) {
				yield(nil, err)
				return
			}
			var docs []node
			if err == nil {
				if have := digest(b); !strings.EqualFold(have, f.SHA256) {
					err = fmt.Errorf("its SHA-256 is %s and the manifest says %s: it was changed or damaged", have, f.SHA256)
				} else {
					docs, err = documents(b)
				}
			}
			if err != nil {
				r.fail(fmt.Sprintf("%s: %v", f.Path, err))
				continue
			}
			for _, doc := range docs {
				some = true
				if !yield(doc, nil) {
					return
				}
			}
		}
		if len(files) > 0 && !some {
			r.State = Unread
		}
	}
}

// number gives policies that have no id, or another's, one by their place: "#1".
func number(list []*Policy) {
	seen := map[string]bool{}
	for i, p := range list {
		if p.ID == "" || seen[p.ID] {
			p.ID = fmt.Sprintf("#%d", i+1)
		}
		seen[p.ID] = true
	}
}

// fail makes a reading incomplete, for the first reason that is told.
func (r *Reading) fail(why string) {
	if r.State == Read || r.Reason == "" {
		r.Reason = why
	}
	if r.State == Read {
		r.State = Incomplete
	}
}

// loose reads a folder without a manifest: files with the names of parts, or
// policies.
func (l *loader) loose() (*Snapshot, error) {
	var names []string
	err := fs.WalkDir(l.fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ext := strings.ToLower(path.Ext(name)); !e.IsDir() && (ext == ".json" || ext == ".ndjson") {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("holds no %s and no JSON: it is no snapshot", ManifestName)
	}
	slices.Sort(names)
	known := 0
	var rest []node
	var bad []Problem
	for _, name := range names {
		b, err := l.file(name)
		if errors.Is(err, errTooMuch) {
			return nil, err
		}
		var pages []node
		if err == nil {
			pages, err = documents(b)
		}
		part := Part(strings.TrimSuffix(path.Base(name), path.Ext(name)))
		if slices.Contains(Parts(), part) {
			r := Reading{State: Read}
			if err != nil {
				r = Reading{State: Unread, Reason: fmt.Sprintf("%s: %v", name, err)}
			}
			if err := l.part(part, "", each(pages), &r); err != nil {
				return nil, err
			}
			known++
			continue
		}
		if err != nil {
			bad = append(bad, Problem{Path: name, What: err.Error()})
			continue
		}
		rest = append(rest, pages...)
	}
	if known == 0 {
		return fromPolicies(rest, bad)
	}
	return l.whole(), nil
}

// each gives nodes that are there already, as pages does.
func each(docs []node) iter.Seq2[node, error] {
	return func(yield func(node, error) bool) {
		for _, doc := range docs {
			if !yield(doc, nil) {
				return
			}
		}
	}
}

// part takes in the documents of a part, or of one object's. Its error is the documents'.
func (l *loader) part(p Part, object string, docs iter.Seq2[node, error], r *Reading) error {
	d := &decoder{shared: l.shared}
	more, whole := false, r.State == Read // more is what the last document says
	for doc, err := range docs {
		if err != nil {
			return err
		}
		more = false
		said := doc.among("responses", "error")
		if responses := said[0]; responses.kind() == '[' {
			l.batch(d, p, responses, r)
			continue
		}
		if e := said[1]; e.kind() == '{' {
			r.State, r.Reason = Unread, "Graph answered "+short(e)
			continue
		}
		for _, page := range pages(doc) {
			next := page.among("@odata.nextLink", "nextLink") // Graph's, and Resource Manager's
			more = next[0].kind() == '"' || next[1].kind() == '"'
			l.take(d, p, object, page, r)
		}
	}
	if more {
		if whole && r.State == Incomplete {
			r.State = Read // of the reasons this weighs most
		}
		r.fail("the last page says that there are more, and they are not here")
	}
	r.Problems = append(r.Problems, d.problems...)
	if object != "" {
		l.object(p, object, *r)
		return nil
	}
	if l.c.Readings == nil {
		l.c.Readings = map[Part]Reading{}
	}
	if old, ok := l.c.Readings[p]; ok {
		// Several entries of one part: the whole is as good as the worst of them.
		if old.State != Read && old.Reason != "" {
			r.Reason, r.Permission = old.Reason, old.Permission
		}
		if r.State != old.State {
			r.State = Incomplete
		}
		r.Problems = append(old.Problems, r.Problems...)
	}
	l.c.Readings[p] = *r
	return nil
}

func (l *loader) object(p Part, object string, r Reading) {
	if l.c.ObjectReadings == nil {
		l.c.ObjectReadings = map[Part]map[string]Reading{}
	}
	if l.c.ObjectReadings[p] == nil {
		l.c.ObjectReadings[p] = map[string]Reading{}
	}
	l.c.ObjectReadings[p][object] = r
}

func short(n node) string {
	s := strings.Join(strings.Fields(string(n)), " ")
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// pages gives the answers that a document holds: itself, or an array of them.
func pages(doc node) []node {
	if doc.kind() != '[' {
		return []node{doc}
	}
	var list []node
	for e := range doc.elements() {
		if e.get("value").kind() != '[' {
			return []node{doc}
		}
		list = append(list, e)
	}
	if len(list) == 0 {
		return []node{doc}
	}
	return list
}

// batch takes in the responses of a $batch, whose ids are those of the objects. What
// the part lacks a permission for, its objects lack it for.
func (l *loader) batch(d *decoder, p Part, responses node, part *Reading) {
	for one := range responses.elements() {
		var id string
		var body node
		status := 0
		if one.kind() == '{' {
			for key, v := range one.fields() {
				switch key {
				case "id":
					id = d.id(v)
				case "status":
					status = d.number(v)
				case "body":
					body = v
				}
			}
		}
		if id == "" {
			d.problem("a response has no id")
			continue
		}
		r := Reading{State: Read, At: part.At}
		if status != 200 {
			r = Reading{State: Unread, Reason: fmt.Sprintf("Graph answered %d: %s", status, short(body))}
			if status == 403 {
				r.Permission = part.Permission
			}
			l.object(p, id, r)
			continue
		}
		own := &decoder{shared: l.shared}
		if next := body.get("@odata.nextLink"); next.kind() == '"' {
			r.fail("the last page says that there are more, and they are not here")
		}
		l.take(own, p, id, body, &r)
		r.Problems = own.problems
		l.object(p, id, r)
	}
}

// items gives the objects of a page: its value, an array, or itself.
func items(page node) iter.Seq[node] {
	if v := page.get("value"); v.kind() == '[' {
		page = v
	}
	if page.kind() != '[' {
		return func(yield func(node) bool) { yield(page) }
	}
	return page.elements()
}

// gather decodes the objects of a page. One that has no id is noted and makes the
// part incomplete, for what it was is lost.
func gather[T any](d *decoder, into *[]T, page node, r *Reading, one func(*decoder, node) T, id func(T) string) {
	i := -1
	for n := range items(page) {
		i++
		if n.kind() != '{' {
			d.path = []string{fmt.Sprint(i)}
			d.wrong(n, "an object")
			d.path = nil
			r.fail("an object could not be read")
			continue
		}
		d.path = append(d.path[:0], "")
		if v := n.get("id"); v.kind() == '"' {
			d.path[0] = v.text()
		} else {
			d.path[0] = fmt.Sprint(len(*into))
		}
		v := one(d, n)
		if id(v) == "" {
			d.problem("has no id")
			r.fail("an object has no id")
		} else {
			*into = append(*into, v)
		}
		d.path = d.path[:0]
	}
}

// gatherOf does so for a part that is read for each object: what is there of the object,
// which is noted as read though there be nothing.
func gatherOf[T any](d *decoder, into *map[string][]T, object string, page node, r *Reading, one func(*decoder, node) T, id func(T) string) {
	if object == "" {
		r.fail("it does not say of which object")
		return
	}
	if *into == nil {
		*into = map[string][]T{}
	}
	list := (*into)[object]
	if list == nil {
		list = []T{}
	}
	gather(d, &list, page, r, one, id)
	(*into)[object] = list
}

// take takes in one page of a part.
func (l *loader) take(d *decoder, p Part, object string, page node, r *Reading) {
	c := &l.c
	switch p {
	case Organization:
		for n := range items(page) {
			if id := d.id(n.get("id")); id != "" {
				c.Tenant, c.Name = id, d.text(n.get("displayName"))
			}
		}
	case Domains:
		gather(d, &c.Domains, page, r, decodeDomain, func(o *Domain) string { return o.Name })
	case Licences:
		gather(d, &c.Licences, page, r, decodeLicence, func(o *Licence) string { return o.SKU })
	case SecurityDefaults:
		if v := page.get("isEnabled"); v != nil {
			c.SecurityDefaults = d.truth(v)
		}
		if !c.SecurityDefaults.Known() {
			r.fail("it does not say isEnabled")
		}
	case AuthorizationPolicy:
		for n := range items(page) {
			if v := n.get("allowedToUseSSPR"); v != nil {
				c.AdminSSPR = d.truth(v)
			}
		}
	case Users:
		gather(d, &c.Users, page, r, decodeUser, func(u *User) string { return u.ID })
	case DeletedUsers:
		gather(d, &c.DeletedUsers, page, r, decodeUser, func(u *User) string { return u.ID })
	case Groups:
		gather(d, &c.Groups, page, r, decodeGroup, func(g *Group) string { return g.ID })
	case GroupMembers:
		refs(d, &c.Members, object, page, r)
	case GroupOwners:
		refs(d, &c.Owners, object, page, r)
	case UnitMembers:
		refs(d, &c.UnitMembers, object, page, r)
	case MemberOf:
		m := map[string][]Ref{}
		refs(d, &m, object, page, r)
		for id, refs := range m {
			if c.MemberOf == nil {
				c.MemberOf = map[string][]string{}
			}
			list := c.MemberOf[id]
			if list == nil {
				list = []string{} // read, and in none
			}
			for _, x := range refs {
				if x.Kind == "group" || x.Kind == "" {
					list = append(list, x.ID)
				}
			}
			c.MemberOf[id] = list
		}
	case Roles:
		gather(d, &c.Roles, page, r, decodeRole, func(o *RoleDefinition) string { return o.ID })
	case RoleAssignments:
		gather(d, &c.Assignments, page, r, decodeAssignment, assigned)
	case RoleSchedules:
		gather(d, &c.Schedules, page, r, decodeAssignment, assigned)
	case RoleEligibilities:
		gather(d, &c.Eligibilities, page, r, decodeAssignment, assigned)
	case RolePolicies:
		gather(d, &c.RolePolicies, page, r, decodeRolePolicy, func(o *RolePolicy) string { return o.ID })
	case Units:
		gather(d, &c.Units, page, r, decodeUnit, func(o *AdministrativeUnit) string { return o.ID })
	case Policies:
		l.policies(d, &c.Policies, page, r)
	case BetaPolicies:
		l.policies(d, &c.BetaPolicies, page, r)
	case DeletedPolicies:
		l.policies(d, &c.DeletedPolicies, page, r)
	case Locations:
		gather(d, &c.Locations, page, r, decodeLocation, func(o *NamedLocation) string { return o.ID })
	case AuthenticationContexts:
		gather(d, &c.Contexts, page, r, decodeContext, func(o *AuthenticationContext) string { return o.ID })
	case Strengths:
		gather(d, &c.Strengths, page, r, decodeStrength, func(o *Strength) string { return o.ID })
	case Methods:
		for n := range items(page) {
			c.Methods = decodeMethodsPolicy(d, n)
		}
		if c.Methods == nil || len(d.problems) > 0 {
			r.fail("the policy could not be read whole")
		}
	case BetaMethods:
		for n := range items(page) {
			c.BetaMethods = decodeMethodsPolicy(d, n)
		}
		if c.BetaMethods == nil || len(d.problems) > 0 {
			r.fail("the policy could not be read whole")
		}
	case RiskyUsers:
		gather(d, &c.RiskyUsers, page, r, decodeRiskyUser, func(o *RiskyUser) string { return o.ID })
	case AccessReviews:
		gather(d, &c.AccessReviews, page, r, decodeAccessReview, func(o *AccessReview) string { return o.ID })
	case LifecycleWorkflows:
		gather(d, &c.LifecycleWorkflows, page, r, decodeLifecycleWorkflow, func(o *LifecycleWorkflow) string { return o.ID })
	case RoleAlerts:
		gather(d, &c.RoleAlerts, page, r, decodeRoleAlert, func(o *RoleAlert) string { return o.ID })
	case GroupEligibilities:
		gatherOf(d, &c.GroupEligibilities, object, page, r, decodeGroupSchedule, func(x GroupSchedule) string { return x.Principal })
	case GroupAssignments:
		gatherOf(d, &c.GroupAssignments, object, page, r, decodeGroupSchedule, func(x GroupSchedule) string { return x.Principal })
	case ProtectedActions:
		gather(d, &c.ProtectedActions, page, r, decodeProtectedAction, func(o *ProtectedAction) string { return o.ID })
	case GroupSettings:
		gather(d, &c.GroupSettings, page, r, decodeGroupSetting, func(o *GroupSetting) string { return o.ID })
	case Evaluations:
		gather(d, &c.Evaluations, page, r, decodeEvaluation, func(o *Evaluation) string { return o.ID })
		if len(d.problems) > 0 {
			r.fail(d.problems[0].String())
		}
	case Registered:
		gatherOf(d, &c.Registered, object, page, r, decodeMethod, func(m Method) string { return m.ID })
	case PerUserMFA:
		if c.PerUserMFA == nil {
			c.PerUserMFA = map[string]string{}
		}
		if state := d.enum(page.get("perUserMfaState"), "disabled", "enabled", "enforced"); state != "" && object != "" {
			c.PerUserMFA[object] = state
		} else {
			r.fail("it does not say perUserMfaState, or of whom")
		}
	case ServicePrincipals:
		gather(d, &c.ServicePrincipals, page, r, decodeServicePrincipal, func(o *ServicePrincipal) string { return o.ID })
	case Applications:
		gather(d, &c.Applications, page, r, decodeApplication, func(o *Application) string { return o.ID })
	case AppRoleAssignments:
		gather(d, &c.AppRoleAssignments, page, r, decodeAppRoleAssignment, func(o *AppRoleAssignment) string { return o.Principal })
	case ApplicationOwners:
		refs(d, &c.ApplicationOwners, object, page, r)
	case PrincipalOwners:
		refs(d, &c.PrincipalOwners, object, page, r)
	case Federations:
		gatherOf(d, &c.Federations, object, page, r, decodeFederation, func(f Federation) string { return f.ID })
	case PermissionGrants:
		gather(d, &c.PermissionGrants, page, r, decodePermissionGrant, func(o *PermissionGrant) string { return o.Client })
	case DiagnosticSettings:
		gather(d, &c.DiagnosticSettings, page, r, decodeDiagnosticSetting, func(o *DiagnosticSetting) string { return o.ID + o.Name })
	case Subscriptions:
		gather(d, &c.Subscriptions, page, r, decodeSubscription, func(o *Subscription) string { return o.ID })
	case Workspaces:
		gather(d, &c.Workspaces, page, r, decodeWorkspace, func(o *Workspace) string { return o.ID })
	case WorkspaceTables:
		gather(d, &c.WorkspaceTables, page, r, decodeWorkspaceTable, func(o *WorkspaceTable) string { return o.ID })
	case CollectionRules:
		gather(d, &c.CollectionRules, page, r, decodeCollectionRule, func(o *CollectionRule) string { return o.ID })
	case AlertRules:
		gather(d, &c.AlertRules, page, r, decodeAlertRule, func(o *AlertRule) string { return o.ID })
	case ActivityAlerts:
		gather(d, &c.ActivityAlerts, page, r, decodeActivityAlert, func(o *ActivityAlert) string { return o.ID })
	case ActionGroups:
		gather(d, &c.ActionGroups, page, r, decodeActionGroup, func(o *ActionGroup) string { return o.ID })
	case ProcessingRules:
		gather(d, &c.ProcessingRules, page, r, decodeProcessingRule, func(o *ProcessingRule) string { return o.ID })
	case Locks:
		gather(d, &c.Locks, page, r, decodeLock, func(o *Lock) string { return o.ID })
	case AzureAssignments:
		gather(d, &c.AzureAssignments, page, r, decodeAzureAssignment, func(o *AzureAssignment) string { return o.ID })
	case LogArrivals:
		l.arrivals(d, page, r)
	case OnboardingStates:
		gather(d, &c.OnboardingStates, page, r, decodeOnboardingState, func(o *OnboardingState) string { return o.ID })
	case AnalyticsRules:
		gather(d, &c.AnalyticsRules, page, r, decodeAnalyticsRule, func(o *AnalyticsRule) string { return o.ID })
	case AutomationRules:
		gather(d, &c.AutomationRules, page, r, decodeAutomationRule, func(o *AutomationRule) string { return o.ID })
	}
}

func assigned(a *RoleAssignment) string { return a.Principal + a.Role }

// refs takes in a list of members or owners.
func refs(d *decoder, into *map[string][]Ref, object string, page node, r *Reading) {
	gatherOf(d, into, object, page, r, decodeRef, func(x Ref) string { return x.ID })
}

// policies takes in policies. One that has no id stays: exports leave it out, and
// what it demands is known all the same.
func (l *loader) policies(d *decoder, into *[]*Policy, page node, r *Reading) {
	i := -1
	for n := range items(page) {
		i++
		if n.kind() != '{' {
			d.path = []string{fmt.Sprint(i)}
			d.wrong(n, "a policy")
			d.path = nil
			r.fail("a policy could not be read")
			continue
		}
		*into = append(*into, decodePolicy(d, n))
	}
}

// FromPolicies makes a snapshot of Conditional Access policies as they were
// exported: one policy, an array, an answer of Graph, or one after another. Nothing
// else of the tenant is known then. Policies without an id are given one by their
// number: "#1".
func FromPolicies(text []byte) (*Snapshot, error) {
	docs, err := documents(text)
	if err != nil {
		return nil, err
	}
	return fromPolicies(docs, nil)
}

func fromPolicies(docs []node, bad []Problem) (*Snapshot, error) {
	l := &loader{}
	r := Reading{State: Read, Problems: bad}
	for _, b := range bad {
		r.fail(b.String())
	}
	d := &decoder{}
	for _, doc := range docs {
		for _, page := range pages(doc) {
			for n := range items(page) {
				if n.get("conditions") == nil && n.get("Conditions") == nil {
					d.problem("%s is no Conditional Access policy: it has no conditions", short(n))
					r.fail("something is no policy")
					continue
				}
				l.policies(d, &l.c.Policies, n, &r)
			}
		}
	}
	if len(l.c.Policies) == 0 {
		return nil, errors.New("there is no " + ManifestName + " and no Conditional Access policy in it: it is no snapshot")
	}
	r.Problems = append(r.Problems, d.problems...)
	number(l.c.Policies)
	l.c.Readings = map[Part]Reading{Policies: r}
	l.c.SecurityDefaults = truth.Unknown
	return New(l.c), nil
}
