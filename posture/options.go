package posture

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The designs that a tenant can declare: how Conditional Access treats the accounts.
const (
	DedicatedPolicies = "dedicated-policies" // excluded from all but two policies of their own
	ExcludedFromAll   = "excluded-from-all"
)

// The ways by which policies name the accounts.
const (
	TargetGroup  = "group"
	TargetDirect = "direct"
)

// An Account is a declared emergency account: its object id, and the user principal name
// that the tenant's papers have, if it is declared.
type Account struct{ ID, UPN string }

// Options are what a tenant declared about its emergency accounts. Ids are object ids.
type Options struct {
	Accounts []Account
	// Design is DedicatedPolicies or ExcludedFromAll, the former if empty; Targeting is
	// TargetGroup or TargetDirect, the former if empty.
	Design, Targeting string
	// Group is the accounts' group where Targeting is TargetGroup.
	Group string
	// Unit is the restricted management administrative unit; if it is empty, those that
	// hold an account are taken.
	Unit string
	// Unlockers are the groups and users that may be eligible for a role over the unit.
	Unlockers []string
	// Policies are the dedicated policies, Strength their authentication strength.
	Policies []string
	Strength string
	// Models are the AAGUIDs of keys that are approved, in any case of letters.
	Models []string
	// Proof is what access.Digest gave when it was last proven that the accounts get in.
	Proof string
	// Recovery are the ways back that need none of the accounts, in words: a partner, an
	// application, the support contract.
	Recovery []string
	// OtherGroups are groups that the accounts are meant to be in beside Group.
	OtherGroups []string
	Practice
	Norms      Norms
	Exceptions []Exception
	// Now is when exceptions are judged; zero means when the snapshot was taken.
	Now time.Time
}

// An Exception accepts what a check finds wrong: for one object, or for all if Object is
// empty, until the end of a day.
type Exception struct {
	Check  string    `json:"check"`
	Object string    `json:"object,omitempty"`
	Owner  string    `json:"owner"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

// Norms are the limits by which checks judge. Zero means the default, whose source
// [Norm] tells.
type Norms struct {
	LeastAccounts, MostAccounts                   int // emergency accounts
	LeastGlobalAdministrators, MostAdministrators int // accounts that are or may become Global Administrator
	DrillDays                                     int // days since an account last signed in
	Groups                                        int // groups that an account is in, through others too
	Approvers                                     int // people who can approve
	ActivationMinutes                             int // how long a role over the unit stays active
	SignInHours                                   int // after how many hours the accounts sign in again
	LockoutThreshold                              int // failed passwords before smart lockout, at most
	LockoutSeconds                                int // how long it lasts, at least
	RetentionDays                                 int // how long a workspace keeps the logs, at least
	AlertMinutes                                  int // between evaluations of an alert rule
	SignInLogMinutes                              int // since the newest record of sign-ins was made
	AuditLogHours                                 int // since the newest record of changes was made
	ReviewDays                                    int // since the list of custodians was gone through
	CertificateDays                               int // that the certificate of a break-glass application still lasts
}

// A Norm is one limit as it was judged by.
type Norm struct {
	Name    string `json:"name"`
	Value   int    `json:"value"`
	Default int    `json:"default"`
	// Source says where the default comes from.
	Source string `json:"source"`
}

type norm struct {
	name, source string
	value        int
	at           func(*Norms) *int
}

// norms are the limits with their defaults.
var norms = []norm{
	{"leastAccounts", "Microsoft, Manage emergency access accounts: two or more; CIS Microsoft 365 Foundations 1.1.2", 2, func(n *Norms) *int { return &n.LeastAccounts }},
	{"mostAccounts", "what each further account adds is another way in; more than four is never needed", 4, func(n *Norms) *int { return &n.MostAccounts }},
	{"leastGlobalAdministrators", "CIS Microsoft 365 Foundations 1.1.3 and CISA SCuBA MS.AAD.7.1v1: at least two", 2, func(n *Norms) *int { return &n.LeastGlobalAdministrators }},
	{"mostGlobalAdministrators", "CIS Microsoft 365 Foundations 1.1.3: at most four (CISA SCuBA MS.AAD.7.1v1 allows eight)", 4, func(n *Norms) *int { return &n.MostAdministrators }},
	{"drillDays", "Microsoft, Manage emergency access accounts: validate at least every 90 days", 90, func(n *Norms) *int { return &n.DrillDays }},
	{"groups", "Conditional Access: users: members of more than 2048 groups may be blocked; three quarters of it", 1536, func(n *Norms) *int { return &n.Groups }},
	{"approvers", "Microsoft, Approve activation requests: at least two approvers", 2, func(n *Norms) *int { return &n.Approvers }},
	{"activationMinutes", "the design with a restricted unit: a role over the unit is active for an hour", 60, func(n *Norms) *int { return &n.ActivationMinutes }},
	{"signInHours", "the design with two dedicated policies: sign-in frequency of four hours", 4, func(n *Norms) *int { return &n.SignInHours }},
	{"lockoutThreshold", "CIS Microsoft Azure Foundations: lockout threshold of at most 10", 10, func(n *Norms) *int { return &n.LockoutThreshold }},
	{"lockoutSeconds", "CIS Microsoft Azure Foundations: lockout duration of at least 60 seconds", 60, func(n *Norms) *int { return &n.LockoutSeconds }},
	{"retentionDays", "Microsoft Sentinel keeps 90 days without charge; an emergency is often looked into later", 90, func(n *Norms) *int { return &n.RetentionDays }},
	{"alertMinutes", "the alert rules of the designs: every five minutes", 5, func(n *Norms) *int { return &n.AlertMinutes }},
	{"signInLogMinutes", "guides of emergency accounts: in small tenants sign-ins were seen 90 to 120 minutes late", 120, func(n *Norms) *int { return &n.SignInLogMinutes }},
	{"auditLogHours", "a tenant in which nothing is changed for a day is a small one, or nobody tells", 24, func(n *Norms) *int { return &n.AuditLogHours }},
	{"reviewDays", "Microsoft, Manage emergency access accounts: validate at least every 90 days", 90, func(n *Norms) *int { return &n.ReviewDays }},
	{"certificateDays", "time enough to renew it twice over: half a year", 180, func(n *Norms) *int { return &n.CertificateDays }},
}

// DefaultNorms gives the limits that are judged by where none are declared.
func DefaultNorms() Norms { return Norms{}.whole() }

// whole fills in defaults.
func (n Norms) whole() Norms {
	for _, x := range norms {
		if p := x.at(&n); *p == 0 {
			*p = x.value
		}
	}
	return n
}

// list gives the norms as they are judged by.
func (n Norms) list() []Norm {
	list := make([]Norm, 0, len(norms))
	for _, x := range norms {
		list = append(list, Norm{x.name, *x.at(&n), x.value, x.source})
	}
	return list
}

// whole checks the options and fills in defaults.
func (o Options) whole() (Options, error) {
	if len(o.Accounts) == 0 {
		return o, errNoAccount
	}
	seen := map[string]bool{}
	o.Accounts = slices.Clone(o.Accounts)
	for i, a := range o.Accounts {
		id := strings.ToLower(a.ID)
		if !validID(id) {
			return o, fmt.Errorf("account %q is no object id: accounts are declared by object id", a.ID)
		}
		if seen[id] {
			return o, fmt.Errorf("account %s is declared twice", id)
		}
		seen[id], o.Accounts[i].ID = true, id
	}
	if o.Design == "" {
		o.Design = DedicatedPolicies
	}
	if o.Design != DedicatedPolicies && o.Design != ExcludedFromAll {
		return o, fmt.Errorf("design %q: it is %s or %s", o.Design, DedicatedPolicies, ExcludedFromAll)
	}
	if o.Targeting == "" {
		o.Targeting = TargetGroup
	}
	if o.Targeting != TargetGroup && o.Targeting != TargetDirect {
		return o, fmt.Errorf("targeting %q: it is %s or %s", o.Targeting, TargetGroup, TargetDirect)
	}
	o.Group, o.Unit, o.Strength, o.Proof = strings.ToLower(o.Group), strings.ToLower(o.Unit), strings.ToLower(o.Strength), strings.ToLower(o.Proof)
	for _, list := range []*[]string{&o.Unlockers, &o.Policies, &o.Models, &o.OtherGroups} {
		*list = slices.Clone(*list)
		for i := range *list {
			(*list)[i] = strings.ToLower((*list)[i])
		}
	}
	for _, x := range norms {
		if n := *x.at(&o.Norms); n < 0 {
			return o, fmt.Errorf("norm %s is %d: it cannot be below zero", x.name, n)
		}
	}
	o.Norms = o.Norms.whole()
	for _, e := range o.Exceptions {
		if e.Check == "" || e.Owner == "" || e.Reason == "" || e.Until.IsZero() {
			return o, fmt.Errorf("the exception from %q needs a check, an owner, a reason and an end", e.Check)
		}
	}
	return o, nil
}

// accept notes the exception that covers what is wrong in a finding.
func (o *Options) accept(f *Finding, now time.Time) {
	if f.Result != Fail && f.Result != Warn {
		return
	}
	covers := func(e *Exception, object string) bool {
		return e.Object == "" || sameID(e.Object, object)
	}
	valid := func(e *Exception) bool { return !now.IsZero() && now.Before(e.Until.AddDate(0, 0, 1)) }
	all := true
	var first *Exception
	for _, s := range f.Seen {
		if s.Result != Fail && s.Result != Warn {
			continue
		}
		i := slices.IndexFunc(o.Exceptions, func(e Exception) bool {
			return strings.EqualFold(e.Check, f.Check.ID) && covers(&e, s.Object) && valid(&e)
		})
		if i < 0 {
			all = false
			continue
		}
		if first == nil {
			e := o.Exceptions[i]
			first = &e
		}
	}
	if all {
		f.Accepted = first
		return
	}
	for _, e := range o.Exceptions {
		if strings.EqualFold(e.Check, f.Check.ID) && !valid(&e) {
			f.Lapsed = append(f.Lapsed, e)
		}
	}
}
