package glassward

import "time"

// A Context is what was known around an alert when it was raised: what a person
// would look up first. It is taken once, within a bound of time, and never waited
// for.
type Context struct {
	Asked time.Time `json:"askedTimeUtc"`
	// SignIns are the latest sign-ins, up to the alert, of the emergency accounts
	// that it names and of those who acted: from where, with what, how it ended.
	SignIns []SignIn `json:"signIns,omitempty"`
	// LastUses are the latest completed sign-ins of the emergency accounts before
	// the alert; one without a time says that none is stored.
	LastUses []SignIn `json:"lastUses,omitempty"`
	// Changes are the latest audit records of the 24 hours before the alert that name
	// one of these, or what protects the accounts; MoreChanges says that there are
	// more.
	Changes     []DirectoryChange `json:"changes,omitempty"`
	MoreChanges bool              `json:"moreChanges,omitempty"`
	// Keys says who holds the keys of the accounts, as configured, a line an account.
	Keys []string `json:"keys,omitempty"`
	// Missing says what could not be had in time, empty if nothing.
	Missing string `json:"missing,omitempty"`
}

// A SignIn is one sign-in of a Context.
type SignIn struct {
	Account string    `json:"account"`
	Time    time.Time `json:"time,omitzero"`
	Address string    `json:"address,omitempty"`
	// Place is the country or region as Entra writes it; Method lists the methods of
	// authentication, Result is Entra's code ("0" is success).
	Place             string `json:"place,omitempty"`
	Application       string `json:"application,omitempty"`
	Method            string `json:"method,omitempty"`
	ConditionalAccess string `json:"conditionalAccess,omitempty"`
	Result            string `json:"result,omitempty"`
	Record            string `json:"recordId,omitempty"`
}

// A DirectoryChange is one audit record of a Context.
type DirectoryChange struct {
	Time      time.Time `json:"time"`
	Operation string    `json:"operation"`
	Result    string    `json:"result,omitempty"`
	By        string    `json:"by,omitempty"`
	Target    string    `json:"target,omitempty"`
	Record    string    `json:"recordId,omitempty"`
}
