package incident

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"glassward"
)

// alertFacts gives what distinguishes the acts of an alert, each as
// "kind:value", sorted. The kinds are
//
//	account  an emergency account, by object id, wherever the id stands
//	address  an IP address
//	session  a session id
//	actor    any other account or service principal that takes part
//	object   a thing acted upon: a policy, a group, an application, a user
//	protected  an object that protects the accounts, by id, wherever the id stands
//	act      operation, result and objects of one row, or of the details
//	rule     the rule that fired
//	episode  when a fault of our own began
//	missing  what was expected and did not come
//	volume   a power of two that the number of rows has passed, where there are
//	         more rows than an alert keeps and so some that nobody can look at
//
// They are read from the entities, from the custom details and from the columns
// of the rows that are called as Entra's tables call them.
func alertFacts(p Policy, a glassward.Alert) []string {
	f := facts{}
	f.add("rule", a.RuleID)
	accounts := concerned(p, a)
	for _, id := range accounts {
		f.add("account", id)
	}
	for _, e := range a.Entities {
		switch strings.ToLower(e.Type) {
		case "account":
			f.add("actor", accountName(e))
		case "ip":
			f.add("address", address(e.Identifiers["Address"]))
		case "cloudapplication", "host", "url", "dns", "process", "file", "filehash", "malware":
			// Where an act happens is not who does it or to what.
		default:
			// The value alone, so that it is the same object in a detail or a row.
			parts := strings.SplitN(entityKey(e), "|", 3)
			f.add("object", parts[len(parts)-1])
		}
	}
	detailed := map[string][]string{"object": accounts}
	for name, values := range a.Details {
		kind := factKinds[plain(name)]
		for _, v := range values {
			switch kind {
			case "":
			case "operation", "result":
				detailed[kind] = append(detailed[kind], v)
			case "object":
				detailed[kind] = append(detailed[kind], f.cell(kind, v)...)
			default:
				f.cell(kind, v)
			}
		}
	}
	kinds := make([]string, len(a.Columns))
	for i, c := range a.Columns {
		kinds[i] = factKinds[plain(c)]
	}
	acts := 0
	for _, r := range a.Rows {
		var operation, result string
		var objects []string
		for i, v := range r {
			if i >= len(kinds) || v == "" {
				continue
			}
			switch kinds[i] {
			case "":
			case "operation":
				operation = v
			case "result":
				result = v
			case "object":
				objects = append(objects, f.cell("object", v)...)
			default:
				f.cell(kinds[i], v)
			}
		}
		if operation != "" {
			f.act(operation, result, objects)
			acts++
		}
	}
	if acts == 0 {
		for _, operation := range detailed["operation"] {
			f.act(operation, strings.Join(union(detailed["result"], nil), " "), detailed["object"])
		}
	}
	if a.RuleID == HealthRule {
		f.add("episode", a.Start.UTC().Format(time.RFC3339Nano))
	}
	if a.RuleID == ExpectedRule {
		f.add("missing", strings.Join(append(a.Details["Missing"], a.Details["Expectation"]...), ", expectation "))
	}
	if a.RowCount > len(a.Rows) || a.RowCount > maxRows {
		f.add("volume", fmt.Sprint(1<<(bits.Len(uint(a.RowCount))-1)))
	}
	// An emergency account is a fact of its own kind and no stranger, and so is
	// what protects it.
	for _, id := range accounts {
		delete(f, "actor:"+id)
		delete(f, "object:"+id)
	}
	for _, id := range spokenOf(p.Protected, a) {
		delete(f, "object:"+id)
		f.add("protected", id)
	}
	out := make([]string, 0, len(f))
	for k := range f {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// factKinds maps the names of details and columns, in lower case without
// separators, to the kind of fact that they hold.
var factKinds = map[string]string{
	"address": "address", "ip": "address", "ipaddress": "address", "ipaddresses": "address", "clientip": "address", "calleripaddress": "address", "clientipaddress": "address",
	"session": "session", "sessionid": "session", "sessions": "session",
	"actor": "actor", "actorid": "actor", "initiator": "actor", "initiatorid": "actor", "initiatedby": "actor", "initiatinguserid": "actor", "initiatingappid": "actor",
	"object": "object", "objectid": "object", "target": "object", "targetid": "object", "targets": "object", "targetids": "object", "targetresources": "object",
	"protectedobject": "object", "policy": "object", "policyid": "object",
	"operation": "operation", "operationname": "operation", "activitydisplayname": "operation", "activity": "operation",
	"result": "result", "resulttext": "result",
}

// plain gives a name in lower case without separators.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == ' ' || r == '-' {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// facts is a set of "kind:value".
type facts map[string]struct{}

// add adds a value. A long one is kept by its beginning and its hash, so that
// two that begin alike stay two.
func (f facts) add(kind, value string) {
	value = strings.TrimSpace(value)
	if value == "" {
		return
	}
	if len(value) > 200 {
		sum := sha256.Sum256([]byte(value))
		cut := 150
		for !utf8.RuneStart(value[cut]) {
			cut--
		}
		value = value[:cut] + "…" + hex.EncodeToString(sum[:8])
	}
	f[kind+":"+value] = struct{}{}
}

// act adds what was done to which objects, and whether it worked.
func (f facts) act(operation, result string, objects []string) {
	text := strings.TrimSpace(strings.ToLower(operation + " " + result))
	if objects = union(objects, nil); len(objects) > 0 {
		text += " on " + strings.Join(objects, " ")
	}
	f.add("act", text)
}

// cell adds what a detail or a cell of a row holds and gives the values: the
// text itself, or the ids in it if it is InitiatedBy or TargetResources as
// Entra writes them.
func (f facts) cell(kind, text string) []string {
	values := []string{strings.ToLower(strings.TrimSpace(text))}
	switch {
	case kind == "address":
		values[0] = address(text)
	case (kind == "actor" || kind == "object") && strings.HasPrefix(strings.TrimSpace(text), "["),
		(kind == "actor" || kind == "object") && strings.HasPrefix(strings.TrimSpace(text), "{"):
		if ids := directoryIDs(text); len(ids) > 0 {
			values = ids
		}
	}
	for _, v := range values {
		f.add(kind, v)
	}
	return values
}

// directoryIDs gives the ids of the users, applications and resources in the
// JSON of InitiatedBy or TargetResources, or their names where they have no id,
// and the texts of a JSON array of texts.
func directoryIDs(text string) []string {
	type party struct {
		ID                 string `json:"id"`
		ServicePrincipalID string `json:"servicePrincipalId"`
		AppID              string `json:"appId"`
		UserPrincipalName  string `json:"userPrincipalName"`
		DisplayName        string `json:"displayName"`
		User               *party `json:"user"`
		App                *party `json:"app"`
	}
	var texts []string
	if json.Unmarshal([]byte(text), &texts) == nil {
		for i := range texts {
			texts[i] = strings.ToLower(texts[i])
		}
		return slices.DeleteFunc(texts, func(t string) bool { return strings.TrimSpace(t) == "" })
	}
	var list []*party
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		var one party
		if json.Unmarshal([]byte(text), &one) != nil {
			return nil
		}
		list = []*party{&one, one.User, one.App}
	}
	var out []string
	for _, p := range list {
		if p == nil {
			continue
		}
		for _, v := range []string{p.ID, p.ServicePrincipalID, p.AppID, p.UserPrincipalName, p.DisplayName} {
			if v != "" {
				out = append(out, strings.ToLower(v))
				break
			}
		}
	}
	return out
}

// address gives an address in its canonical form, so that the spellings of one
// IPv6 address are one address.
func address(text string) string {
	text = strings.ToLower(strings.TrimSpace(text))
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Unmap().String()
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().String()
	}
	return text
}

// accountName gives the identifier by which an account is told from others.
func accountName(e glassward.Entity) string {
	for _, name := range []string{"AadUserId", "ObjectGuid", "Sid", "PUID"} {
		if v := e.Identifiers[name]; v != "" {
			return strings.ToLower(v)
		}
	}
	name := strings.ToLower(e.Identifiers["Name"])
	if suffix := e.Identifiers["UPNSuffix"]; name != "" && suffix != "" {
		return name + "@" + strings.ToLower(suffix)
	}
	if full := e.Identifiers["FullName"]; full != "" {
		return strings.ToLower(full)
	}
	return name
}

// Subjects are the ids of those that an alert is about, each sorted and in lower
// case: emergency accounts, objects that protect them, and others who take part.
type Subjects struct{ Accounts, Protected, Actors []string }

// About gives whom and what an alert is about. Whatever has no id is left out.
func About(p Policy, a glassward.Alert) Subjects {
	s := Subjects{Accounts: concerned(p, a), Protected: spokenOf(p.Protected, a)}
	for _, tie := range ties(alertFacts(p, a)) {
		if id, ok := strings.CutPrefix(tie, "actor:"); ok {
			s.Actors = append(s.Actors, id)
		}
	}
	return s
}

// concerned gives the object ids of the emergency accounts that an alert is
// about, sorted and in lower case. An object id is unique in the world, so it
// counts wherever it stands; names never do.
func concerned(p Policy, a glassward.Alert) []string {
	return spokenOf(p.Accounts, a)
}

// spokenOf gives those of the ids that stand anywhere in an alert, sorted and in
// lower case. An id that is no GUID is too short to be looked for in a text: it
// counts only where it stands alone.
func spokenOf(names map[string]string, a glassward.Alert) []string {
	if len(names) == 0 {
		return nil
	}
	found := map[string]bool{}
	short := 0
	for id := range names {
		found[strings.ToLower(id)] = false
		if len(id) < 8 {
			short++
		}
	}
	left := len(found)
	look := func(text string) {
		if left == 0 || len(text) < 8 && short == 0 {
			return
		}
		lower := strings.ToLower(text)
		for id, seen := range found {
			if !seen && id != "" && (lower == id || len(id) >= 8 && strings.Contains(lower, id)) {
				found[id] = true
				left--
			}
		}
	}
	for _, e := range a.Entities {
		for _, v := range e.Identifiers {
			look(v)
		}
	}
	for _, values := range a.Details {
		for _, v := range values {
			look(v)
		}
	}
	for _, r := range a.Rows {
		for _, v := range r {
			look(v)
		}
	}
	var out []string
	for id, yes := range found {
		if yes {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
