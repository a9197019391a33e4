package entrasim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// AddGroup makes a security group and gives its id. Members are object ids of users and
// of groups: groups may hold each other.
func (w *World) AddGroup(name string, assignable bool, members ...string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := &collection{id: guidOf(w.o.Tenant.ID, "group", name), name: name, kind: "security", flag: assignable, members: slices.Clone(members)}
	w.groups = append(w.groups, g)
	return g.id
}

// AddPolicy puts a Conditional Access policy into the tenant as beta shows it, and gives
// its id. Graph's v1.0 shows it without what it has no word for.
func (w *World) AddPolicy(text string) (string, error) {
	var whole struct {
		Name  string `json:"displayName"`
		State string `json:"state"`
	}
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		return "", fmt.Errorf("entrasim: the policy cannot be read: %w", err)
	}
	if whole.Name == "" || whole.State == "" {
		return "", errors.New("entrasim: a policy has a displayName and a state")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &policy{id: guidOf(w.o.Tenant.ID, "policy", whole.Name), name: whole.Name, state: whole.State, whole: json.RawMessage(text)}
	w.policies = append(w.policies, p)
	return p.id, nil
}

// betaOnly are the properties of a policy that v1.0 does not show.
var betaOnly = []string{
	"conditions.times", "conditions.deviceStates", "conditions.agentIdRiskLevels", "conditions.applications.networkAccess", "conditions.applications.globalSecureAccess",
	"sessionControls.continuousAccessEvaluation", "sessionControls.networkAccessSecurity", "sessionControls.globalSecureAccessFilteringProfile",
}

// beta is the policy as beta shows it.
func (p *policy) beta() []byte {
	if p.whole == nil {
		return p.plain()
	}
	var o object
	if json.Unmarshal(p.whole, &o) != nil {
		panic("entrasim: a policy that was JSON is none") // AddPolicy read it
	}
	o["id"], o["createdDateTime"], o["modifiedDateTime"], o["templateId"] = p.id, "2024-02-02T08:00:00Z", "2025-10-06T08:00:00Z", nil
	return encode(o)
}

// graph is the policy as v1.0 shows it.
func (p *policy) graph() []byte {
	if p.whole == nil {
		return p.plain()
	}
	var o object
	if json.Unmarshal(p.beta(), &o) != nil {
		panic("entrasim: what was encoded is no JSON")
	}
	for _, path := range betaOnly {
		at, names := o, strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			at, _ = at[name].(object)
		}
		delete(at, names[len(names)-1])
	}
	return encode(o)
}

// SetPasskeyProfile restricts the tenant's passkey profile to models by their AAGUIDs, and
// says whether Graph's v1.0 shows profiles at all, as it did not everywhere from the start.
func (w *World) SetPasskeyProfile(shown bool, models ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.passkeys, w.oldPasskeys = models, !shown
}

// collection finds a group by its id.
func (w *World) collection(id string) *collection {
	for _, g := range w.groups {
		if strings.EqualFold(g.id, id) {
			return g
		}
	}
	return nil
}

// holders are the ids of the groups that an object is in: directly, or through others
// too, each once.
func (w *World) holders(id string, transitive bool) []string {
	var found []string
	queue := []string{id}
	for len(queue) > 0 {
		x := queue[0]
		queue = queue[1:]
		for _, g := range w.groups {
			if slices.Contains(g.members, x) && !slices.Contains(found, g.id) {
				found = append(found, g.id)
				if transitive {
					queue = append(queue, g.id)
				}
			}
		}
	}
	return found
}

// within are the ids of the members of a group: direct ones, or those of the groups in it
// too, each once.
func (w *World) within(g *collection, transitive bool) []string {
	found := slices.Clone(g.members)
	if !transitive {
		return found
	}
	seen := map[string]bool{}
	for _, id := range found {
		seen[id] = true
	}
	for i := 0; i < len(found); i++ {
		inner := w.collection(found[i])
		if inner == nil {
			continue
		}
		for _, id := range inner.members {
			if !seen[id] {
				seen[id] = true
				found = append(found, id)
			}
		}
	}
	return found
}

// RemoveMember takes an object out of a group.
func (w *World) RemoveMember(group, member string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if g := w.collection(group); g != nil {
		g.members = slices.DeleteFunc(g.members, func(id string) bool { return strings.EqualFold(id, member) })
	}
}
