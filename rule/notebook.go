package rule

import (
	"context"
	"slices"
	"sync"

	"glassward"
)

// A Notebook keeps outcomes in memory: it is the Memory and the Desk
// of an engine that runs without a control store, as when rules are tested
// or files are looked through once. The zero value is empty and ready. It may be
// used by several goroutines.
type Notebook struct {
	mu     sync.Mutex
	marks  map[string][]byte
	alerts map[glassward.AlertID]glassward.Alert
	order  []glassward.AlertID
	held   map[noteKey]glassward.AlertID
}

type noteKey struct {
	tenant, rule, group string
	record              glassward.RecordID
}

// Watermark gives what was committed for the rule.
func (n *Notebook) Watermark(_ context.Context, tenant, ruleID string) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.marks[tenant+" "+ruleID], nil
}

// AlertsByRecords gives the alerts of the rule and group that hold the records.
func (n *Notebook) AlertsByRecords(_ context.Context, tenant, ruleID, group string, ids []glassward.RecordID) (map[glassward.RecordID]glassward.AlertID, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := map[glassward.RecordID]glassward.AlertID{}
	for _, id := range ids {
		if a, ok := n.held[noteKey{tenant, ruleID, group, id}]; ok {
			out[id] = a
		}
	}
	return out, nil
}

// AlertsHolding gives the alerts that hold one of the records.
func (n *Notebook) AlertsHolding(_ context.Context, tenant string, ids []glassward.RecordID) (map[glassward.AlertID]Holding, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	want := map[glassward.RecordID]bool{}
	for _, id := range ids {
		want[id] = true
	}
	out := map[glassward.AlertID]Holding{}
	for k, id := range n.held {
		if k.tenant == tenant && want[k.record] {
			a := n.alerts[id]
			out[id] = Holding{RuleID: a.RuleID, Group: a.Group, Records: slices.Clone(a.Records)}
		}
	}
	return out, nil
}

// Desk gives a Desk that writes the tenant's outcomes into the notebook.
func (n *Notebook) Desk(tenant string) Desk {
	return DeskFunc(func(_ context.Context, outcomes ...Outcome) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, o := range outcomes {
			n.write(tenant, o)
		}
		return nil
	})
}

func (n *Notebook) write(tenant string, o Outcome) {
	if n.alerts == nil {
		n.marks = map[string][]byte{}
		n.alerts = map[glassward.AlertID]glassward.Alert{}
		n.held = map[noteKey]glassward.AlertID{}
	}
	if o.Watermark != nil {
		n.marks[tenant+" "+o.RuleID] = o.Watermark
	}
	for _, c := range o.Alerts {
		old, known := n.alerts[c.Alert.ID]
		switch {
		case c.Kind == Unconfirmed:
			old.Unconfirmed = true
			n.alerts[c.Alert.ID] = old
			continue
		case !known:
			n.order = append(n.order, c.Alert.ID)
			n.alerts[c.Alert.ID] = c.Alert
		default:
			n.alerts[c.Alert.ID] = mergeAlerts(old, c.Alert)
		}
		for _, id := range c.Alert.Records {
			k := noteKey{tenant, o.RuleID, c.Alert.Group, id}
			if _, ok := n.held[k]; !ok {
				n.held[k] = c.Alert.ID
			}
		}
	}
}

// Alerts gives the alerts as they stand, in the order in which they came up.
func (n *Notebook) Alerts() []glassward.Alert {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]glassward.Alert, 0, len(n.order))
	for _, id := range n.order {
		out = append(out, n.alerts[id])
	}
	return out
}
