package daemon

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"glassward/config"
	"glassward/kql"
	"glassward/notify"
	"glassward/rule"
)

// loadRules reads the shipped rules, the folder of the user's own and that of
// the stored functions.
func (d *Daemon) loadRules(c *config.Config) (*rule.Set, error) {
	set, err := LoadRules(c.Rules)
	if err != nil || c.Functions == "" {
		return set, err
	}
	// A function may name what any of the workspaces has.
	env := rule.Environment{Catalog: EveryTable(c).Catalog(), Watchlists: watchlists(config.Tenant{})}
	if err := set.LoadFunctions(os.DirFS(c.Functions), env); err != nil {
		return nil, fmt.Errorf("read the functions folder: %w", err)
	}
	return set, nil
}

// LoadRules reads the shipped rules and, where folder is not empty, those in it.
func LoadRules(folder string) (*rule.Set, error) {
	var user fs.FS
	if folder != "" {
		info, err := os.Stat(folder)
		if err != nil {
			return nil, fmt.Errorf("read the rules folder: %w", err)
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("read the rules folder: %s is no folder", folder)
		}
		user = os.DirFS(folder)
	}
	return rule.Load(user)
}

// watchlists gives a tenant's watchlists, as rules and queries know them.
func watchlists(t config.Tenant) map[string]*kql.Watchlist {
	lists := rule.Watchlists()
	lists["EmergencyAccounts"] = EmergencyAccounts(t)
	lists["DecoyAccounts"] = rule.DecoyAccounts(accountsOf(t)...)
	lists["ProtectedObjects"] = ProtectedObjects(t)
	lists["ExpectedPlaces"] = expectedPlaces(t)
	lists["ExpectedApplications"] = expectedApplications(t)
	return lists
}

// expectedPlaces gives the watchlist of where a tenant's accounts are used.
func expectedPlaces(t config.Tenant) *kql.Watchlist {
	var places []rule.Place
	for _, p := range t.Places {
		x := rule.Place{Name: p.Name, Network: p.Network, Country: p.Country}
		if p.ASN != 0 {
			x.ASN = strconv.FormatUint(uint64(p.ASN), 10)
		}
		places = append(places, x)
	}
	return rule.ExpectedPlaces(places...)
}

// expectedApplications gives the watchlist of the applications with which a
// tenant's accounts are used, or which may look at them: Glassward's own may.
func expectedApplications(t config.Tenant) *kql.Watchlist {
	var apps []rule.Application
	for _, a := range t.Applications {
		apps = append(apps, rule.Application{AppID: a.AppID, Name: a.Name, Use: a.Use})
	}
	if t.Application != nil && t.Application.ClientID != "" {
		apps = append(apps, rule.Application{AppID: t.Application.ClientID, Name: "Glassward", Use: "read"})
	}
	return rule.ExpectedApplications(apps...)
}

// EmergencyAccounts gives the watchlist of a tenant's declared accounts.
func EmergencyAccounts(t config.Tenant) *kql.Watchlist {
	return rule.EmergencyAccounts(accountsOf(t)...)
}

func accountsOf(t config.Tenant) []rule.Account {
	var accounts []rule.Account
	for _, a := range t.EmergencyAccounts {
		accounts = append(accounts, rule.Account{ObjectID: a.ObjectID, Name: a.Name, UserPrincipalName: a.UserPrincipalName, Kind: a.Kind})
	}
	return accounts
}

// ProtectedObjects gives the watchlist of what a tenant declares to protect its
// accounts.
func ProtectedObjects(t config.Tenant) *kql.Watchlist {
	var objects []rule.Object
	for _, o := range t.ProtectedObjects {
		objects = append(objects, rule.Object{ObjectID: o.ObjectID, Name: o.Name, Kind: o.Kind, Tenant: t.ID})
	}
	return rule.ProtectedObjects(objects...)
}

func (d *Daemon) lookupRule(id string) (*rule.Rule, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, r := range d.rules.Rules {
		if strings.EqualFold(r.ID, id) {
			return r, true
		}
	}
	return nil, false
}

// ruleFacts gives a notice what it says of its rule.
func (d *Daemon) ruleFacts(id string) notify.RuleFacts {
	r, ok := d.lookupRule(id)
	if !ok {
		return notify.RuleFacts{}
	}
	return notify.RuleFacts{Query: r.Query, Period: r.Period}
}
