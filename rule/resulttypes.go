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
func ResultTypes() *kql.Watchlist {
	lines := strings.Split(strings.TrimSpace(resultTypes), "\n")
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

// withResultTypes adds the shipped watchlist to those that are given.
func withResultTypes(lists map[string]*kql.Watchlist) map[string]*kql.Watchlist {
	if lists["ResultTypes"] != nil {
		return lists
	}
	out := maps.Clone(lists)
	if out == nil {
		out = map[string]*kql.Watchlist{}
	}
	out["ResultTypes"] = ResultTypes()
	return out
}
