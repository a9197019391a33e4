package graph

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"glassward"
	"glassward/directory"
)

// known is what is remembered of the parts that were read, to ask for others by: ids,
// and of groups what decides how they are asked for.
type known struct {
	groups, units, principals []string
	hidden, gates             map[string]bool // groups, by id
	named                     map[string]bool // ids that stand in policies
	holders                   map[string]bool // principals of role assignments
	members                   map[string]bool // of groups that hold roles
	byName                    map[string]string
	readings                  map[directory.Part]directory.ManifestPart
	excluded, shields         map[string]bool // groups that a policy excludes, restricted units
	declared                  map[string]bool // service principals that were named
	clients                   map[string]bool // their application ids
	registrations             []string        // and the ids of their applications
}

var guid = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)

// A row is what is looked at of an object.
type row struct {
	ID         string `json:"id"`
	Type       string `json:"@odata.type"`
	UPN        string `json:"userPrincipalName"`
	App        string `json:"appId"`
	Principal  string `json:"principalId"`
	Visibility string `json:"visibility"`
	Assignable bool   `json:"isAssignableToRole"`
	Restricted bool   `json:"isMemberManagementRestricted"`
	Conditions struct {
		Users struct {
			ExcludeGroups []string `json:"excludeGroups"`
		} `json:"users"`
	} `json:"conditions"`
}

// learn looks through a part that was read for what others are asked for by.
func (r *reader) learn(q request, entry directory.ManifestPart) error {
	k := &r.known
	if k.readings == nil {
		*k = known{hidden: map[string]bool{}, gates: map[string]bool{}, named: map[string]bool{}, holders: map[string]bool{}, members: map[string]bool{}, byName: map[string]string{}, readings: map[directory.Part]directory.ManifestPart{}, excluded: map[string]bool{}, shields: map[string]bool{}, declared: map[string]bool{}, clients: map[string]bool{}}
		for _, p := range r.o.Principals {
			k.declared[strings.ToLower(p)] = true
		}
		for _, a := range r.o.Accounts {
			if !glassward.IsGUID(a) {
				k.byName[strings.ToLower(a)] = ""
			}
		}
	}
	k.readings[q.part] = entry
	each := func(visit func(x row)) error {
		return r.documents(entry, func(d *json.Decoder) error {
			var page struct{ Value []row }
			if err := d.Decode(&page); err != nil {
				return err
			}
			for _, x := range page.Value {
				x.ID = strings.ToLower(x.ID)
				visit(x)
			}
			return nil
		})
	}
	switch q.part {
	case directory.Organization:
		return each(func(x row) {
			if r.m.Tenant == "" {
				r.m.Tenant = x.ID
			}
		})
	case directory.Policies, directory.BetaPolicies, directory.Methods:
		return r.documents(entry, func(d *json.Decoder) error {
			var text json.RawMessage
			if err := d.Decode(&text); err != nil {
				return err
			}
			for _, id := range guid.FindAll(text, -1) {
				k.named[strings.ToLower(string(id))] = true
			}
			var page struct{ Value []row }
			if json.Unmarshal(text, &page) != nil {
				return nil // of another shape: opening it tells that
			}
			for _, x := range page.Value {
				for _, id := range x.Conditions.Users.ExcludeGroups {
					if glassward.IsGUID(id) {
						k.excluded[strings.ToLower(id)] = true
					}
				}
			}
			return nil
		})
	case directory.RoleAssignments, directory.RoleSchedules, directory.RoleEligibilities:
		return each(func(x row) { k.holders[strings.ToLower(x.Principal)] = true })
	case directory.Users:
		if len(k.byName) == 0 {
			return nil
		}
		return each(func(x row) {
			name := strings.ToLower(x.UPN)
			if _, wanted := k.byName[name]; wanted {
				k.byName[name] = x.ID
			}
		})
	case directory.Units:
		return each(func(x row) {
			k.units = append(k.units, x.ID)
			k.shields[x.ID] = x.Restricted
		})
	case directory.ServicePrincipals:
		client := func(x row) {
			if k.declared[strings.ToLower(x.ID)] && glassward.IsGUID(x.App) {
				k.clients[strings.ToLower(x.App)] = true
			}
		}
		if q.each != once {
			return r.bodies(entry, func(_ string, list []row) {
				for _, x := range list {
					client(x)
				}
			})
		}
		return each(func(x row) {
			k.principals = append(k.principals, x.ID)
			client(x)
		})
	case directory.Applications:
		registration := func(x row) {
			if k.clients[strings.ToLower(x.App)] && glassward.IsGUID(x.ID) {
				k.registrations = append(k.registrations, strings.ToLower(x.ID))
			}
		}
		if q.each != once {
			return r.bodies(entry, func(_ string, list []row) {
				for _, x := range list {
					registration(x)
				}
			})
		}
		return each(registration)
	case directory.Groups:
		if q.each != once {
			return r.bodies(entry, func(_ string, list []row) {
				for _, x := range list {
					k.hidden[strings.ToLower(x.ID)] = x.Visibility == "HiddenMembership"
				}
			})
		}
		return each(func(x row) {
			k.groups = append(k.groups, x.ID)
			if x.Visibility == "HiddenMembership" {
				k.hidden[x.ID] = true
			}
			if x.Assignable || k.named[x.ID] || k.holders[x.ID] {
				k.gates[x.ID] = true
			}
		})
	case directory.GroupMembers:
		return r.bodies(entry, func(id string, list []row) {
			if !k.holders[id] {
				return
			}
			for _, x := range list {
				if x.Type == "" || strings.HasSuffix(x.Type, ".user") {
					k.members[strings.ToLower(x.ID)] = true
				}
			}
		})
	}
	return nil
}

// bodies goes through what was answered of single objects, by their ids. Refusals and
// what has another shape are passed over: opening the snapshot tells of them.
func (r *reader) bodies(entry directory.ManifestPart, each func(id string, list []row)) error {
	return r.documents(entry, func(d *json.Decoder) error {
		var batch struct {
			Responses []struct {
				ID   string
				Body json.RawMessage
			}
		}
		if err := d.Decode(&batch); err != nil {
			return err
		}
		for _, one := range batch.Responses {
			var page struct{ Value []row }
			if json.Unmarshal(one.Body, &page) == nil {
				each(strings.ToLower(one.ID), page.Value)
			}
		}
		return nil
	})
}

// documents goes through the documents of a part, one in memory at a time.
func (r *reader) documents(entry directory.ManifestPart, each func(*json.Decoder) error) error {
	for _, f := range entry.Files {
		in, err := os.Open(filepath.Join(r.o.Dir, f.Path))
		if err != nil {
			return err
		}
		d := json.NewDecoder(in)
		var shape *json.UnmarshalTypeError
		for err == nil || errors.As(err, &shape) { // of another shape: opening it tells that
			err = each(d)
		}
		in.Close()
		if !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// objects gives the ids of the objects that a part is read for, and the part by which
// they are known.
func (k *known) objects(e each, o Options) (ids []string, from directory.Part) {
	accounts := o.Accounts
	switch e {
	case ofAccounts:
		return sorted(accounts, nil), ""
	case ofExclusions:
		return sorted(o.Only.Groups, k.excluded), ""
	case ofShields:
		return sorted(o.Only.Units, k.shields), ""
	case ofNamed:
		return sorted(o.Principals, nil), ""
	case ofDeclared:
		return sorted(o.Principals, nil), directory.ServicePrincipals
	case ofClients:
		return sorted(nil, k.clients), directory.ServicePrincipals
	case ofRegistrations:
		return sorted(k.registrations, nil), directory.Applications
	case ofGroups:
		return k.groups, directory.Groups
	case ofGates:
		for _, g := range k.groups {
			if k.gates[g] {
				ids = append(ids, g)
			}
		}
		return ids, directory.Groups
	case ofUnits:
		return k.units, directory.Units
	case ofPrincipals:
		return k.principals, directory.ServicePrincipals
	}
	people := map[string]bool{}
	for _, a := range accounts {
		if a = strings.ToLower(a); !glassward.IsGUID(a) {
			a = k.byName[a]
		}
		people[a] = true
	}
	for id := range k.holders {
		people[id] = true
	}
	for id := range k.members {
		people[id] = true
	}
	delete(people, "")
	for _, list := range [][]string{k.groups, k.principals} {
		for _, id := range list {
			delete(people, id)
		}
	}
	for id := range people {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, ""
}

// sorted gives ids in lower case, those that were named and those that a set holds.
func sorted(named []string, set map[string]bool) []string {
	var list []string
	for _, id := range named {
		list = append(list, strings.ToLower(id))
	}
	for id, in := range set {
		if in {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
