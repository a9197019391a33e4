package glassward

import "time"

// An Expectation declares what is going to happen to one emergency account: which
// operations, how often, from where, by whom and when. What happens so is recorded
// and pages nobody; everything else pages as ever, and what does not come is an
// alarm.
type Expectation struct {
	ID     string `json:"id"`
	Tenant string `json:"tenant"`
	// Account is the object id of the emergency account, AccountName its name for
	// people.
	Account     string `json:"account"`
	AccountName string `json:"accountName,omitempty"`
	// Places are addresses, ranges of them (CIDR) and countries (two letters), one of
	// which each event must come from.
	Places []string `json:"places"`
	// Actors are the object ids of those who may do it besides the account itself.
	Actors     []string            `json:"actors,omitempty"`
	Operations []ExpectedOperation `json:"operations"`
	// From and Until bound the time of the events.
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
	// By is the person who declared it, Via the token by which.
	By       string    `json:"by"`
	Via      string    `json:"via,omitempty"`
	Declared time.Time `json:"declaredTimeUtc"`
	// Settled is when it ended: withdrawn, or judged. Outcome is then withdrawn,
	// complete or incomplete; while it is open it is empty.
	Settled time.Time       `json:"settledTimeUtc,omitzero"`
	Outcome string          `json:"outcome,omitempty"`
	Matches []ExpectedMatch `json:"matches,omitempty"`
}

// An ExpectedOperation is an operation that is expected so many times. Its name is
// that of an audit record, or of a rule; "sign-in" is a sign-in of any kind.
type ExpectedOperation struct {
	Name  string `json:"name"`
	Times int    `json:"times"`
}

// An ExpectedMatch is something that came as it was expected.
type ExpectedMatch struct {
	Operation string  `json:"operation"`
	Alert     AlertID `json:"alertId"`
	// Records are the ids of the records that showed it.
	Records []string  `json:"recordIds"`
	Time    time.Time `json:"time"`
	Noted   time.Time `json:"noted"`
}

// Missing gives the operations of which not all came, with how many did not.
func (e Expectation) Missing() []ExpectedOperation {
	var out []ExpectedOperation
	for _, o := range e.Operations {
		for _, m := range e.Matches {
			if m.Operation == o.Name {
				o.Times--
			}
		}
		if o.Times > 0 {
			out = append(out, o)
		}
	}
	return out
}
