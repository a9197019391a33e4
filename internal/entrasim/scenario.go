package entrasim

// A Scenario is a story with a seed: what is done to a world at which minute,
// and what must be told of it.
type Scenario struct {
	// Name is S1 to S12; Title and Text are for people.
	Name, Title, Text string
	// Minutes is how long the story lasts.
	Minutes int
	// Expected are the incidents that a complete rule pack must raise.
	Expected []Expectation
	steps    []step
}

type step struct {
	minute int
	do     func(w *World)
}

// An Expectation is an incident that a story must raise.
type Expectation struct {
	// Minute is the minute of the event that raises it.
	Minute int
	// Severity is P1 to P4 (as in the text); Kind is the rule's or signal's
	// name there; Title is a pattern of path.Match over the incident's title.
	Severity, Kind, Title string
	// Account is the object id of whom it is about; may be empty.
	Account string
	// By says what can see it: logs, or something out of reach of logs alone
	// (directory, drill, road, ...).
	By string
}

// Scenarios gives the stories in order.
func Scenarios() []*Scenario { return nil }

// Begin plans the steps of a story from a moment on; Advance plays them.
func (w *World) Begin(s *Scenario) {}
