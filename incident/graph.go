package incident

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"glassward"
)

// A Graph shows an incident as things and what connects them.
type Graph struct {
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
	// Truncated says that there is more than the bound of 500 nodes.
	Truncated bool `json:"truncated,omitempty"`
}

// A Node is an account, address, session, object, application or incident.
type Node struct {
	// ID is "kind:value", Label what people call it, if more is known.
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	Label string `json:"label"`
	// Emergency marks an emergency account, Protected an object that protects one.
	Emergency bool `json:"emergency,omitempty"`
	Protected bool `json:"protected,omitempty"`
	// Alerts are those that name it, in the order of the graph's alerts.
	Alerts []glassward.AlertID `json:"alertIds,omitempty"`
}

// An Edge leads from who acted to what: to an object or account with the operation
// as its Kind, to an address by "from", to a session by "in", to an application by
// "with"; from another incident to what both share by "names".
type Edge struct {
	From   string              `json:"from"`
	To     string              `json:"to"`
	Kind   string              `json:"kind"`
	Alerts []glassward.AlertID `json:"alertIds,omitempty"`
}

// A Neighbour is another incident that shares something with one: an account or
// what Ties gives, as "kind:value".
type Neighbour struct {
	Number int64
	Shares string
}

const maxNodes = 500

// GraphOf gives the graph of an incident's alerts and its neighbours.
func GraphOf(p Policy, alerts []glassward.Alert, neighbours []Neighbour) Graph {
	g := grapher{policy: p, names: map[string]string{}, ids: map[string]string{}, nodes: map[string]*Node{}, edges: map[[3]string]*Edge{}}
	for _, a := range alerts {
		for _, e := range a.Entities {
			if strings.EqualFold(e.Type, "account") {
				g.learn(e.Identifiers)
			}
		}
	}
	for _, a := range alerts {
		if a.RuleID != HealthRule {
			g.alert(a)
		}
	}
	for _, n := range neighbours {
		kind, value, _ := strings.Cut(n.Shares, ":")
		to := g.id(kind, value)
		if _, known := g.nodes[to]; known {
			from := fmt.Sprintf("incident:%d", n.Number)
			if g.node(from, "incident", fmt.Sprintf("incident %d", n.Number), "") {
				g.edge(from, to, "names", "")
			}
		}
	}
	out := Graph{Nodes: []Node{}, Edges: []Edge{}, Truncated: g.truncated}
	for _, id := range slices.Sorted(maps.Keys(g.nodes)) {
		out.Nodes = append(out.Nodes, *g.nodes[id])
	}
	for _, key := range slices.SortedFunc(maps.Keys(g.edges), func(a, b [3]string) int { return slices.Compare(a[:], b[:]) }) {
		out.Edges = append(out.Edges, *g.edges[key])
	}
	return out
}

type grapher struct {
	policy    Policy
	names     map[string]string // of ids
	ids       map[string]string // of names
	nodes     map[string]*Node
	edges     map[[3]string]*Edge
	truncated bool
}

// learn notes by which names an account goes, so that its id and its names are one
// node.
func (g *grapher) learn(identifiers map[string]string) {
	id := strings.ToLower(identifiers["AadUserId"])
	if !glassward.IsGUID(id) {
		return
	}
	for _, name := range []string{identifiers["FullName"], identifiers["Name"] + "@" + identifiers["UPNSuffix"], identifiers["DisplayName"]} {
		if name == "" || name == "@" {
			continue
		}
		g.names[id] = cmp.Or(g.names[id], name)
		g.ids[strings.ToLower(name)] = id
	}
}

// id gives the id of a fact's node.
func (g *grapher) id(kind, value string) string {
	switch kind {
	case "actor", "account":
		return "account:" + cmp.Or(g.ids[value], value)
	case "protected", "object":
		// What an emergency account or an actor does to an account is about that.
		if id := cmp.Or(g.ids[value], value); g.names[id] != "" || nameIn(g.policy.Accounts, id) != "" {
			return "account:" + id
		}
		return "object:" + value
	}
	return kind + ":" + value
}

func (g *grapher) node(id, kind, label string, a glassward.AlertID) bool {
	n := g.nodes[id]
	if n == nil {
		if len(g.nodes) == maxNodes {
			g.truncated = true
			return false
		}
		_, value, _ := strings.Cut(id, ":")
		n = &Node{ID: id, Kind: kind, Label: cmp.Or(label, g.names[value], value)}
		if name := nameIn(g.policy.Accounts, value); name != "" {
			n.Emergency, n.Label = true, name
		}
		if name := nameIn(g.policy.Protected, value); name != "" {
			n.Protected, n.Label = true, name
		}
		g.nodes[id] = n
	}
	if a != "" && !slices.Contains(n.Alerts, a) {
		n.Alerts = append(n.Alerts, a)
	}
	return true
}

func (g *grapher) edge(from, to, kind string, a glassward.AlertID) {
	if from == to || g.nodes[from] == nil || g.nodes[to] == nil {
		return
	}
	key := [3]string{from, to, kind}
	e := g.edges[key]
	if e == nil {
		e = &Edge{From: from, To: to, Kind: kind}
		g.edges[key] = e
	}
	if a != "" && !slices.Contains(e.Alerts, a) {
		e.Alerts = append(e.Alerts, a)
	}
}

// alert adds an alert row by row, so that who acted on what stays together.
func (g *grapher) alert(a glassward.Alert) {
	parts := []glassward.Alert{a}
	if len(a.Rows) > 1 {
		parts = nil
		for _, row := range a.Rows {
			parts = append(parts, glassward.Alert{Columns: a.Columns, Rows: [][]string{row}})
		}
	}
	for _, part := range parts {
		g.part(a, part)
	}
}

func (g *grapher) part(a, part glassward.Alert) {
	by := map[string][]string{}
	add := func(kind, id string) {
		what, _, _ := strings.Cut(id, ":")
		if g.node(id, what, "", a.ID) {
			by[kind] = union1(by[kind], []string{id})
		}
	}
	for _, f := range alertFacts(g.policy, part) {
		kind, value, _ := strings.Cut(f, ":")
		id := g.id(kind, value)
		switch kind {
		case "account", "actor", "address", "session", "object", "protected":
			add(kind, id)
		}
	}
	for _, e := range part.Entities {
		if strings.EqualFold(e.Type, "cloudapplication") {
			name := cmp.Or(e.Identifiers["AppId"], e.Identifiers["Name"])
			if id := "application:" + strings.ToLower(name); name != "" && g.node(id, "application", e.Identifiers["Name"], a.ID) {
				by["application"] = union1(by["application"], []string{id})
			}
		}
	}
	operation := ""
	var actors []string
	for _, d := range deeds(g.policy, part, concerned(g.policy, part)) {
		operation = cmp.Or(operation, d.operation)
		for _, id := range d.actors {
			actors = append(actors, "account:"+id)
		}
	}
	// Who is named beside an emergency account acts on it; alone it acts itself.
	subjects := union1(actors, by["actor"])
	targets := slices.Concat(by["object"], by["protected"], missing(by["account"], actors))
	if len(subjects) == 0 {
		subjects, targets = by["account"], slices.Concat(by["object"], by["protected"])
	}
	for _, s := range subjects {
		for _, t := range targets {
			g.edge(s, t, cmp.Or(operation, "acts on"), a.ID)
		}
		for kind, verb := range map[string]string{"address": "from", "session": "in", "application": "with"} {
			for _, t := range by[kind] {
				g.edge(s, t, verb, a.ID)
			}
		}
	}
}
