package drift

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"glassward/directory"
	"glassward/directory/change"
	"glassward/directory/truth"
)

// A Hand is somebody who could have changed something.
type Hand struct {
	// ID is the object id, Name what people call it, Kind user, servicePrincipal, group or
	// directoryObject, for one that the snapshots do not hold.
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind string `json:"kind"`
	// How says by what: a role that is assigned, eligible or activated, with its scope; an
	// application permission; a group's ownership.
	How string `json:"how"`
	// When is before or after where only one of the snapshots shows it.
	When string `json:"when,omitempty"`
}

// power is a line of powers.txt.
type power struct {
	kind, property                      string
	roles, actions, permissions, azures []string
}

//go:embed powers.txt
var powersText string

var powers = sync.OnceValues(func() ([]power, error) { return parsePowers(powersText) })

func parsePowers(text string) ([]power, error) {
	var list []power
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		columns := strings.Split(line, "|")
		if len(columns) != 5 {
			return nil, fmt.Errorf("powers.txt: line %d has %d columns, not 5", n, len(columns))
		}
		names := func(i int) []string {
			return strings.FieldsFunc(strings.TrimSpace(columns[i]), func(r rune) bool { return r == ',' })
		}
		var p power
		p.kind, p.property, _ = strings.Cut(strings.TrimSpace(columns[0]), " ")
		for i, into := range []*[]string{&p.roles, &p.actions, &p.permissions, &p.azures} {
			for _, name := range names(i + 1) {
				*into = append(*into, strings.TrimSpace(name))
			}
		}
		for _, name := range p.roles {
			if builtIn[name] == "" {
				return nil, fmt.Errorf("powers.txt: line %d: there is no role %q", n, name)
			}
		}
		for _, name := range p.azures {
			if azureRoles[name] == "" {
				return nil, fmt.Errorf("powers.txt: line %d: there is no role %q in Azure", n, name)
			}
		}
		list = append(list, p)
	}
	return list, nil
}

// builtIn are the template ids of Entra's roles that powers.txt names.
var builtIn = map[string]string{
	"Global Administrator":                     directory.GlobalAdministrator,
	"Application Administrator":                "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
	"Authentication Policy Administrator":      "0526716b-113d-4c15-b2c8-68e3c22b9f80",
	"Cloud Application Administrator":          "158c047a-c907-4556-b7ef-446551a6b5f7",
	"Conditional Access Administrator":         "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9",
	"Directory Writers":                        "9360feb5-f418-4baa-8175-e2a00bac4301",
	"Domain Name Administrator":                "8329153b-31d0-4727-b945-745eb3bc5f31",
	"External Identity Provider Administrator": "be2f45a1-457d-42af-a067-6ec1fa63bc45",
	"Groups Administrator":                     "fdd7a751-b60b-444a-984c-02652fe8fa1c",
	"Hybrid Identity Administrator":            "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2",
	"Identity Governance Administrator":        "45d8d3c5-c802-45c6-b32a-1d70b5e1e86e",
	"License Administrator":                    "4d6ac14f-3453-41d0-bef9-a3e0c569773a",
	"Privileged Authentication Administrator":  "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",
	"Privileged Role Administrator":            "e8611ab8-c189-46e8-94e1-60213ab1f814",
	"Security Administrator":                   "194ae4cb-b126-40b2-bd5b-6091b380977d",
	"User Administrator":                       "fe930be7-5e62-47db-91af-98c3a49a38b1",
}

// azureRoles are the ids of Azure's roles that powers.txt names.
var azureRoles = map[string]string{
	"Owner":                     "8e3af657-a8ff-443c-a75c-2fe8c4b5b635",
	"Contributor":               "b24988ac-6180-42a0-ab88-20f7382dd24c",
	"User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
	"Monitoring Contributor":    "749f88d5-cbae-40b8-bcfc-e573ddc772fa",
	"Log Analytics Contributor": "92aaf0da-9dab-42b6-94a3-d43ce8d16293",
}

// azureKinds are the kinds whose ids are those of Azure's resources.
var azureKinds = []string{change.Workspace, change.AlertRule, change.ActionGroup, change.ProcessingRule, change.Lock}

// powerOver gives what it takes to change something.
func powerOver(list []power, kind, property string) (power, bool) {
	for _, p := range list {
		if p.kind != kind && p.kind != "*" {
			continue
		}
		if p.property == "" || property == p.property || strings.HasPrefix(property, p.property+".") {
			return p, true
		}
	}
	return power{}, false
}

// allows says whether a resource action of a role covers one that is needed: it is the
// same, or it is of the same objects and for all properties or all tasks.
func allows(has, needs string) bool {
	if strings.EqualFold(has, needs) {
		return true
	}
	entity := func(s string) (string, string) {
		space, rest, _ := strings.Cut(strings.ToLower(s), "/")
		name, rest, _ := strings.Cut(rest, "/")
		return space + "/" + name, rest
	}
	a, task := entity(has)
	b, _ := entity(needs)
	return a == b && (task == "allproperties/alltasks" || task == "alltasks" || task == "allproperties/update")
}

// A finder finds hands in one snapshot.
type finder struct {
	s *directory.Snapshot
	// permission names the application permissions by resource and role.
	permission map[string]string
}

func newFinder(s *directory.Snapshot) *finder {
	f := &finder{s: s, permission: map[string]string{}}
	for _, p := range s.Contents().ServicePrincipals {
		for _, r := range p.Roles {
			f.permission[p.ID+" "+r.ID] = r.Value
		}
	}
	return f
}

// hands gives who could change an object, and what of that was not read.
func (f *finder) hands(p power, kind, property, id string) (list []Hand, missing []directory.Part) {
	c := f.s.Contents()
	lacks := func(parts ...directory.Part) {
		for _, part := range parts {
			if r := f.s.Reading(part, ""); r.State != directory.Read && !slices.Contains(missing, part) {
				missing = append(missing, part)
			}
		}
	}
	add := func(principal, how string) {
		for _, id := range f.people(principal, &missing) {
			h := f.hand(id)
			if h.How = how; id != principal {
				h.How += ", through " + f.hand(principal).Name
			}
			list = append(list, h)
		}
	}
	if len(p.azures) > 0 || slices.Contains(azureKinds, kind) {
		lacks(directory.AzureAssignments)
		for _, a := range c.AzureAssignments {
			for _, name := range p.azures {
				if strings.EqualFold(a.Role, azureRoles[name]) && directory.Within(id, a.Scope) {
					add(a.Principal, name+" in Azure at "+a.Scope)
				}
			}
		}
		return list, missing
	}
	lacks(directory.Roles, directory.RoleAssignments)
	schedules, how := c.Schedules, func(a *directory.RoleAssignment) string { return strings.ToLower(a.Type) }
	if f.s.Reading(directory.RoleSchedules, "").State == directory.Unread {
		schedules = c.Assignments
	} else {
		lacks(directory.RoleSchedules)
	}
	scan := func(assignments []*directory.RoleAssignment, state func(*directory.RoleAssignment) string) {
		for _, a := range assignments {
			name, ok := f.role(p, a.Role)
			if !ok || !f.reaches(a.Scope, id) {
				continue
			}
			if s := state(a); s != "" {
				name += ", " + s
			}
			if a.Scope != "" && a.Scope != "/" {
				name += ", over " + f.hand(a.Scope[strings.LastIndexByte(a.Scope, '/')+1:]).Name
			}
			add(a.Principal, name)
		}
	}
	scan(schedules, how)
	lacks(directory.RoleEligibilities)
	scan(c.Eligibilities, func(*directory.RoleAssignment) string { return "eligible" })
	lacks(directory.ServicePrincipals, directory.AppRoleAssignments)
	for _, a := range c.AppRoleAssignments {
		if name := f.permission[a.Resource+" "+a.Role]; name != "" && slices.Contains(p.permissions, name) {
			add(a.Principal, "application permission "+name)
		}
	}
	if kind == change.Group && (property == "members" || property == "owners") {
		if f.s.Reading(directory.GroupOwners, id).State != directory.Read {
			missing = append(missing, directory.GroupOwners)
		}
		for _, o := range c.Owners[id] {
			add(o.ID, "owner of "+f.hand(id).Name)
		}
	}
	return list, missing
}

// role says whether a role has the power, and names it.
func (f *finder) role(p power, id string) (name string, ok bool) {
	r := f.s.Role(id)
	template := id
	if r != nil {
		name = cmp.Or(r.DisplayName, r.ID)
		if r.TemplateID != "" {
			template = r.TemplateID
		}
		if r.Enabled == truth.False {
			return name, false
		}
		for _, has := range r.Actions {
			if slices.ContainsFunc(p.actions, func(needs string) bool { return allows(has, needs) }) {
				return name, true
			}
		}
		if r.BuiltIn == truth.False {
			return name, false
		}
	}
	for _, known := range append([]string{"Global Administrator"}, p.roles...) {
		if strings.EqualFold(template, builtIn[known]) {
			return known, true
		}
	}
	return name, false
}

// reaches says whether a scope holds an object: the tenant does, a unit holds its
// members, and an object itself.
func (f *finder) reaches(scope, id string) bool {
	if scope == "" || scope == "/" {
		return true
	}
	at := scope[strings.LastIndexByte(scope, '/')+1:]
	return strings.EqualFold(at, id) || slices.ContainsFunc(f.s.Contents().UnitMembers[strings.ToLower(at)], func(m directory.Ref) bool { return m.ID == id })
}

// people gives who stands behind a principal: the members of a group, also through other
// groups, or itself.
func (f *finder) people(principal string, missing *[]directory.Part) []string {
	if f.s.Group(principal) == nil {
		return []string{principal}
	}
	var list []string
	seen := map[string]bool{}
	var add func(id string)
	add = func(id string) {
		if seen[id] {
			return
		}
		seen[id] = true
		if f.s.Group(id) == nil {
			list = append(list, id)
			return
		}
		if f.s.Reading(directory.GroupMembers, id).State != directory.Read && !slices.Contains(*missing, directory.GroupMembers) {
			*missing = append(*missing, directory.GroupMembers)
		}
		for _, m := range f.s.Contents().Members[id] {
			add(m.ID)
		}
	}
	add(principal)
	return list
}

// hand names an object.
func (f *finder) hand(id string) Hand {
	if u := f.s.User(id); u != nil {
		return Hand{ID: u.ID, Name: cmp.Or(u.UPN, u.DisplayName, id), Kind: change.User}
	}
	if g := f.s.Group(id); g != nil {
		return Hand{ID: id, Name: cmp.Or(g.DisplayName, id), Kind: change.Group}
	}
	if p := f.s.ServicePrincipal(id); p != nil {
		return Hand{ID: id, Name: cmp.Or(p.DisplayName, id), Kind: change.ServicePrincipal}
	}
	for _, u := range f.s.Contents().Units {
		if strings.EqualFold(u.ID, id) {
			return Hand{ID: id, Name: cmp.Or(u.DisplayName, id), Kind: change.AdministrativeUnit}
		}
	}
	return Hand{ID: id, Name: id, Kind: change.DirectoryObject}
}

// merge joins the hands of two snapshots: one for each object and way, marked where only
// one of them shows it, sorted by name and way.
func merge(before, after []Hand) []Hand {
	type key struct{ id, how string }
	all, was, is := map[key]Hand{}, map[key]bool{}, map[key]bool{}
	for _, h := range before {
		k := key{h.ID, h.How}
		all[k], was[k] = h, true
	}
	for _, h := range after {
		k := key{h.ID, h.How}
		all[k], is[k] = h, true
	}
	var list []Hand
	for _, k := range slices.SortedFunc(maps.Keys(all), func(a, b key) int {
		return cmp.Or(cmp.Compare(all[a].Name, all[b].Name), cmp.Compare(a.how, b.how), cmp.Compare(a.id, b.id))
	}) {
		h := all[k]
		switch {
		case !is[k]:
			h.When = "before"
		case !was[k]:
			h.When = "after"
		}
		list = append(list, h)
	}
	return list
}
