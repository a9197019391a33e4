package rule

import (
	"cmp"
	_ "embed"
	"maps"
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
	} {
		if out[name] == nil {
			out[name] = list()
		}
	}
	return out
}
