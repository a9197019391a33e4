package incident

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"glassward"
)

// AcrossRule is the id of the built-in rule that tells a tenant that what met it has
// met another tenant of the same installation, too. No rule file can have it.
const AcrossRule = "glassward-across"

// The kinds of a Trait.
const (
	TraitAddress     = "address"
	TraitApplication = "application"
	TraitActor       = "actor"
)

// A Trait is something of whoever acts by which he can be known again in the records
// of another tenant.
type Trait struct {
	Kind string
	// Value is what is compared: an IPv4 address, the /64 network of an IPv6 address,
	// the client id of an application, the object id or sign-in name of an account; in
	// lower case. Text is how the alert has it.
	Value, Text string
}

// Traits gives the traits that an alert names, in the order of kinds and values.
//
// Addresses that are nobody's in the world are left out, and so are names that are no
// sign-in names, because Microsoft's own services act in every tenant by the same
// names, and the tenant's emergency accounts, which are in no other. There are none
// in alerts of our own, in those that were foreseen or withdrawn, and in those of
// severity Informational.
func Traits(p Policy, a glassward.Alert) []Trait {
	if a.RuleID == HealthRule || a.RuleID == ExpectedRule || a.RuleID == AcrossRule || a.Inward || a.Expected != "" || a.Unconfirmed || a.Severity == glassward.Informational {
		return nil
	}
	found := map[Trait]string{}
	add := func(kind, value, text string) {
		if t := (Trait{Kind: kind, Value: value}); value != "" && found[t] == "" {
			found[t] = text
		}
	}
	for _, f := range alertFacts(p, a) {
		if text, ok := strings.CutPrefix(f, "address:"); ok {
			add(TraitAddress, network(text), text)
		}
	}
	accounts := concerned(p, a)
	for _, e := range a.Entities {
		switch strings.ToLower(e.Type) {
		case "cloudapplication":
			id := strings.ToLower(e.Identifiers["AppId"])
			if glassward.IsGUID(id) && strings.Trim(id, "0-") != "" {
				add(TraitApplication, id, id)
			}
		case "account":
			id := strings.ToLower(e.Identifiers["AadUserId"])
			if slices.Contains(accounts, id) {
				continue
			}
			if glassward.IsGUID(id) && strings.Trim(id, "0-") != "" {
				add(TraitActor, id, id)
			}
			if name := signInName(e); name != "" {
				add(TraitActor, name, name)
			}
		}
	}
	out := make([]Trait, 0, len(found))
	for t, text := range found {
		t.Text = text
		out = append(out, t)
	}
	slices.SortFunc(out, func(x, y Trait) int { return strings.Compare(x.Kind+" "+x.Value, y.Kind+" "+y.Value) })
	return out
}

// carrierGrade is what providers give to many customers at once (RFC 6598).
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// network gives the part of an address that one customer has, empty if the address
// says nothing outside of the network that it is in.
func network(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil || !a.IsGlobalUnicast() || a.IsPrivate() || carrierGrade.Contains(a) {
		return ""
	}
	if a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a.WithZone(""), 64).Masked().String()
}

// signInName gives the name by which an account signs in, empty if the entity has
// none: a display name may be anybody's.
func signInName(e glassward.Entity) string {
	name := strings.ToLower(strings.TrimSpace(e.Identifiers["FullName"]))
	if n, suffix := e.Identifiers["Name"], e.Identifiers["UPNSuffix"]; n != "" && suffix != "" {
		name = strings.ToLower(n + "@" + suffix)
	}
	before, after, ok := strings.Cut(name, "@")
	if !ok || before == "" || !strings.Contains(after, ".") || strings.ContainsAny(name, " \t\r\n<>") || len(name) > 200 {
		return ""
	}
	return name
}

// Across gives the alert by which a tenant learns that a trait of one of its own
// alerts was met by another tenant, too. All of it is the tenant's own: of the other
// it says that there is one. The same alert and trait give the same alert.
func Across(p Policy, t Trait, own glassward.Alert, within time.Duration, now time.Time) AlertChange {
	entities := []glassward.Entity{{Type: "IP", Identifiers: map[string]string{"Address": t.Text}}}
	switch {
	case t.Kind == TraitApplication:
		entities[0] = glassward.Entity{Type: "CloudApplication", Identifiers: map[string]string{"AppId": t.Text}}
	case t.Kind == TraitActor && glassward.IsGUID(t.Value):
		entities[0] = glassward.Entity{Type: "Account", Identifiers: map[string]string{"AadUserId": t.Text}}
	case t.Kind == TraitActor:
		entities[0] = glassward.Entity{Type: "Account", Identifiers: map[string]string{"FullName": t.Text}}
	}
	// What the own alert is about ties the two.
	for _, id := range concerned(p, own) {
		entities = append(entities, glassward.Entity{Type: "Account", Identifiers: map[string]string{"AadUserId": id}})
	}
	details := map[string][]string{"Trait": {t.Kind}, "Value": {t.Text}, "OwnAlert": {own.Title}}
	if protected := spokenOf(p.Protected, own); len(protected) > 0 {
		details["ProtectedObject"] = protected
	}
	minutes := int(within.Minutes())
	group := t.Kind + " " + t.Value
	return AlertChange{Alert: glassward.Alert{
		ID:     AlertID(own.Tenant, AcrossRule, group, string(own.ID)),
		RuleID: AcrossRule, RuleName: "Glassward across tenants", RuleVersion: "1", Group: group, Severity: glassward.High,
		Title: fmt.Sprintf("The same %s was met by another tenant that is watched here: %s", t.Kind, t.Text),
		Description: fmt.Sprintf(`The alert %q of this tenant names the %s %s. Another tenant that this installation watches had an alert that names it, too, within %d minutes. Which tenant and what happened there is not known here: keyed hashes were compared.

What to do first:
1. Take the alert of this tenant for an attack and not for a mistake: nobody errs in two companies at once.
2. Look at everything else that the %[2]s did here in these hours, and at who serves several companies: accounts of service providers, shared applications.
3. If it belongs to whoever serves both tenants, have the operator of this installation add it to acrossTenants.shared.`, own.Title, t.Kind, t.Text, minutes),
		Tactics: []string{"InitialAccess"}, Techniques: []string{"T1199"},
		Entities: entities, Details: details, Records: own.Records,
		Start: own.Start, End: own.End, Received: own.Received, Judged: now.UTC(), Late: own.Late,
		ActionGroups: own.ActionGroups,
	}}
}
