package posture

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Practice is what a tenant declares of how its accounts are kept and tried: what no
// directory shows. A section that is nil was not declared, and whatever depends on it is
// unknown. Days are at midnight, UTC.
type Practice struct {
	// Applications are break-glass applications, by application id or the object id of
	// the service principal.
	Applications []string
	Drills       []Drill
	Keys         []Key
	Uses         []Use
	Runbook      *Runbook
	// CustodiansReviewed is when the list of custodians was last gone through; zero if
	// that is not declared.
	CustodiansReviewed time.Time
	// ClassicPoliciesReviewed is when a person last saw in the portal that there are no
	// classic policies and no older risk policies, which Graph does not show; zero if that
	// is not declared.
	ClassicPoliciesReviewed time.Time
	// Workstation names the workstation that is kept for the accounts, or is empty.
	Workstation string
	Watchers    []Watcher
}

// A Drill is one exercise of an account: which of its steps were seen to work.
type Drill struct {
	Account string
	Day     time.Time
	// Steps are among DrillSteps.
	Steps []string
}

// DrillSteps are the steps of a drill from end to end: signed in with the key, did
// something as Global Administrator, the log arrived, the alert fired, somebody
// acknowledged it.
func DrillSteps() []string { return []string{"signIn", "action", "log", "alert", "acknowledged"} }

// A Key is one security key in custody.
type Key struct {
	Account, Serial string
	Site            string // where it lies
	PINSite         string // where its PIN lies
	Sealed          bool
	// PINOffline says that the PIN can be had without the tenant.
	PINOffline bool
}

// A Use is a review of what an account was used for on a day.
type Use struct {
	Account string
	Day     time.Time
	Kind    string // drill, incident, misuse
}

// A Runbook is the paper for the emergency.
type Runbook struct {
	Printed time.Time
	SHA256  string   // of what was printed
	Holds   []string // among RunbookHolds
}

// RunbookHolds are what a runbook must hold.
func RunbookHolds() []string {
	return []string{"objectIds", "userPrincipalNames", "tenantId", "portals", "support"}
}

// A Watcher is something beside Azure that watches the accounts.
type Watcher struct {
	Name string
	// Road is what it reads: graph, activity, eventHubs, cloudApps, workspace.
	Road string
}

var roads = []string{"graph", "activity", "eventHubs", "storage", "cloudApps", "workspace"}

// practice is the YAML of a Practice. Days are written 2026-12-31.
type practice struct {
	Applications []string `yaml:"applications"`
	Drills       []struct {
		Account string   `yaml:"account"`
		Date    string   `yaml:"date"`
		Steps   []string `yaml:"steps"`
	} `yaml:"drills"`
	Keys []struct {
		Account    string `yaml:"account"`
		Serial     string `yaml:"serial"`
		Site       string `yaml:"site"`
		PINSite    string `yaml:"pinSite"`
		Sealed     bool   `yaml:"sealed"`
		PINOffline bool   `yaml:"pinOffline"`
	} `yaml:"keys"`
	Uses []struct {
		Account string `yaml:"account"`
		Date    string `yaml:"date"`
		Kind    string `yaml:"kind"`
	} `yaml:"uses"`
	Runbook *struct {
		Printed string   `yaml:"printed"`
		SHA256  string   `yaml:"sha256"`
		Holds   []string `yaml:"holds"`
	} `yaml:"runbook"`
	CustodiansReviewed      string `yaml:"custodiansReviewed"`
	ClassicPoliciesReviewed string `yaml:"classicPoliciesReviewed"`
	Workstation             string `yaml:"workstation"`
	Watchers                []struct {
		Name string `yaml:"name"`
		Road string `yaml:"road"`
	} `yaml:"watchers"`
}

// read makes a Practice of the YAML.
func (d *practice) read() (Practice, error) {
	p := Practice{Applications: d.Applications, Workstation: d.Workstation}
	var failed error
	day := func(what, text string) time.Time {
		t, err := time.Parse(time.DateOnly, text)
		if err != nil && failed == nil {
			failed = fmt.Errorf("%s is on %q: write a day, as 2026-12-31", what, text)
		}
		return t
	}
	account := func(what, id string) string {
		if !validID(id) && failed == nil {
			failed = fmt.Errorf("%s is of %q, which is no object id", what, id)
		}
		return strings.ToLower(id)
	}
	among := func(what, text string, list []string) string {
		if !slices.Contains(list, text) && failed == nil {
			failed = fmt.Errorf("%s has %q: it is one of %s", what, text, strings.Join(list, ", "))
		}
		return text
	}
	for _, x := range d.Drills {
		for _, s := range x.Steps {
			among("a drill", s, DrillSteps())
		}
		p.Drills = append(p.Drills, Drill{account("a drill", x.Account), day("a drill", x.Date), x.Steps})
	}
	for _, x := range d.Keys {
		p.Keys = append(p.Keys, Key{account("a key", x.Account), x.Serial, x.Site, x.PINSite, x.Sealed, x.PINOffline})
	}
	for _, x := range d.Uses {
		p.Uses = append(p.Uses, Use{account("a use", x.Account), day("a use", x.Date), among("a use", x.Kind, []string{"drill", "incident", "misuse"})})
	}
	if r := d.Runbook; r != nil {
		for _, h := range r.Holds {
			among("the runbook", h, RunbookHolds())
		}
		p.Runbook = &Runbook{day("the runbook", r.Printed), r.SHA256, r.Holds}
	}
	if d.CustodiansReviewed != "" {
		p.CustodiansReviewed = day("the review of the custodians", d.CustodiansReviewed)
	}
	if d.ClassicPoliciesReviewed != "" {
		p.ClassicPoliciesReviewed = day("the review of classic policies", d.ClassicPoliciesReviewed)
	}
	for _, w := range d.Watchers {
		p.Watchers = append(p.Watchers, Watcher{w.Name, among("a watcher", w.Road, roads)})
	}
	return p, failed
}
