package rule

import (
	"cmp"
	_ "embed"
	"maps"
	"slices"
	"strings"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

//go:embed defaults/resulttypes.tsv
var resultTypes string

// ResultTypes gives the shipped watchlist ResultTypes: what the result codes of
// sign-ins mean. Its columns, all strings, are code (the search key), class,
// outcome (Completed, Interrupted, Failed or Blocked), firstFactor (whether the
// code says that the first factor was right: yes, no or unknown) and meaning. A
// code that it does not hold is unknown, which is not the same as harmless.
func ResultTypes() *kql.Watchlist { return tabbed(resultTypes) }

//go:embed defaults/operations.tsv
var operations string

// AuditOperations gives the shipped watchlist AuditOperations: the operations of
// AuditLogs that are known. Its columns, all strings, are operation (the search
// key: in lower case, dashes as hyphens, single blanks, no full stop at the end),
// service, category, and the detection whose rule tells of it: account, where an
// emergency account is its target; object, where an object is that protects them;
// anywhere, whoever it concerns. What is empty is the general rules'.
func AuditOperations() *kql.Watchlist { return tabbed(operations) }

// ToldAnywhere says of an operation's name whether a shipped rule tells it whoever
// it concerns: those that AuditOperations has a detection for under anywhere.
func ToldAnywhere() func(operation string) bool {
	known := map[string]bool{}
	for _, row := range AuditOperations().Rows {
		known[row[0].(string)] = row[5] != ""
	}
	dashes := strings.NewReplacer("\u2010", "-", "\u2011", "-", "\u2012", "-", "\u2013", "-", "\u2014", "-", "\u2015", "-", "\u2212", "-")
	return func(operation string) bool {
		return known[strings.Trim(strings.Join(strings.Fields(dashes.Replace(strings.ToLower(operation))), " "), " .")]
	}
}

//go:embed defaults/applications.tsv
var applications string

// ExpectedApplications gives the watchlist ExpectedApplications: with which
// applications emergency accounts are used, and which may look at them. Its columns,
// all strings, are appId (the search key), name and use: signIn or read. The shipped
// ones, those by which a tenant is repaired, come first.
func ExpectedApplications(more ...Application) *kql.Watchlist {
	w := tabbed(applications)
	for _, a := range more {
		id := strings.ToLower(a.AppID)
		w.Rows = append(w.Rows, []any{id, cmp.Or(a.Name, id), a.Use})
	}
	return w
}

//go:embed defaults/microsoft-applications.tsv
var microsoftApplications string

// MicrosoftApplications gives the client ids, in lower case, of Microsoft's own
// applications by which people sign in everywhere, with their names. It is not all of
// Microsoft's: an id that it does not have may be anybody's.
func MicrosoftApplications() map[string]string {
	known := map[string]string{}
	for _, table := range []string{microsoftApplications, applications} {
		for _, row := range tabbed(table).Rows {
			known[row[0].(string)] = row[1].(string)
		}
	}
	return known
}

// An Application is one with which emergency accounts are used (Use is signIn), or
// which may look at them (read).
type Application struct {
	AppID, Name, Use string
}

// ExpectedPlaces gives the watchlist ExpectedPlaces: from where emergency accounts
// are used. Its columns, all strings, are Name, Network, Country and Asn, of which a
// row has one of the last three.
func ExpectedPlaces(places ...Place) *kql.Watchlist {
	w := &kql.Watchlist{}
	for _, name := range []string{"Name", "Network", "Country", "Asn"} {
		w.Columns = append(w.Columns, rel.Column{Name: name, Type: value.String})
	}
	for _, p := range places {
		w.Rows = append(w.Rows, []any{cmp.Or(p.Name, p.Network, p.Country, p.ASN), p.Network, strings.ToUpper(p.Country), p.ASN})
	}
	return w
}

// A Place is where emergency accounts are used: a network (CIDR), a country (two
// letters) or the network of a carrier (its autonomous system number).
type Place struct {
	Name, Network, Country, ASN string
}

// Watchlists gives the shipped watchlists and the declared ones without a row:
// what rules and queries know where no tenant is at hand.
func Watchlists() map[string]*kql.Watchlist { return withShipped(nil) }

// tabbed reads a shipped table: a line of names, then the rows, all strings.
func tabbed(text string) *kql.Watchlist {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	w := &kql.Watchlist{}
	for _, name := range strings.Split(lines[0], "\t") {
		w.Columns = append(w.Columns, rel.Column{Name: name, Type: value.String})
	}
	for _, line := range lines[1:] {
		var cells []any
		for _, c := range strings.Split(line, "\t") {
			cells = append(cells, c)
		}
		w.Rows = append(w.Rows, cells)
	}
	return w
}

// EmergencyAccounts gives the watchlist EmergencyAccounts. Its columns, all
// strings, are ObjectId (the search key), Name, UserPrincipalName and Kind. An
// account without a user principal name stands with its object id in its place:
// an empty text in a list of names would be found in every record that names
// nobody.
func EmergencyAccounts(accounts ...Account) *kql.Watchlist {
	w := &kql.Watchlist{}
	for _, name := range []string{"ObjectId", "Name", "UserPrincipalName", "Kind"} {
		w.Columns = append(w.Columns, rel.Column{Name: name, Type: value.String})
	}
	for _, a := range accounts {
		id := strings.ToLower(a.ObjectID)
		w.Rows = append(w.Rows, []any{id, cmp.Or(a.Name, a.UserPrincipalName, id), cmp.Or(a.UserPrincipalName, id), a.Kind})
	}
	return w
}

// DecoyAccounts gives the watchlist DecoyAccounts: those of the accounts whose Kind
// is decoy, with the columns of EmergencyAccounts, of which they are part as well.
func DecoyAccounts(accounts ...Account) *kql.Watchlist {
	return EmergencyAccounts(slices.DeleteFunc(slices.Clone(accounts), func(a Account) bool { return a.Kind != "decoy" })...)
}

// An Account is a declared emergency account: what it is (a user, a service
// principal, or a group that protects them) says Kind.
type Account struct {
	ObjectID, Name, UserPrincipalName, Kind string
}

// ProtectedObjects gives the watchlist ProtectedObjects. Its columns, all strings,
// are ObjectId (the search key), Name, Kind and Tenant.
func ProtectedObjects(objects ...Object) *kql.Watchlist {
	w := &kql.Watchlist{}
	for _, name := range []string{"ObjectId", "Name", "Kind", "Tenant"} {
		w.Columns = append(w.Columns, rel.Column{Name: name, Type: value.String})
	}
	for _, o := range objects {
		id := strings.ToLower(o.ObjectID)
		w.Rows = append(w.Rows, []any{id, cmp.Or(o.Name, id), o.Kind, o.Tenant})
	}
	return w
}

// An Object is a declared object that protects the emergency accounts: their
// group, their restricted unit, a policy. Kind is one of config.ObjectKinds or
// empty, Tenant the id of its tenant.
type Object struct {
	ObjectID, Name, Kind, Tenant string
}

// withShipped adds what every workspace has to the watchlists that are given: the
// shipped ones, and the declared ones without a row where nobody declared any.
func withShipped(lists map[string]*kql.Watchlist) map[string]*kql.Watchlist {
	out := maps.Clone(lists)
	if out == nil {
		out = map[string]*kql.Watchlist{}
	}
	for name, list := range map[string]func() *kql.Watchlist{
		"ResultTypes": ResultTypes, "AuditOperations": AuditOperations,
		"EmergencyAccounts": func() *kql.Watchlist { return EmergencyAccounts() },
		"ProtectedObjects":  func() *kql.Watchlist { return ProtectedObjects() },
		"DecoyAccounts":     func() *kql.Watchlist { return DecoyAccounts() },
		"ExpectedPlaces":    func() *kql.Watchlist { return ExpectedPlaces() },

		"ExpectedApplications": func() *kql.Watchlist { return ExpectedApplications() },
	} {
		if out[name] == nil {
			out[name] = list()
		}
	}
	return out
}
