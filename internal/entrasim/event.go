package entrasim

import "time"

// A Kind is a kind of event.
type Kind uint8

// The kinds of events.
const (
	InteractiveSignIn Kind = iota
	NonInteractiveSignIn
	ServicePrincipalSignIn
	ManagedIdentitySignIn
	DirectoryAudit
	Provisioning
	RiskDetection
	RiskyUser
	CloudAppEvent
)

// Category is the category of diagnostic settings (or of Defender's
// streaming) in which the kind is exported.
func (k Kind) Category() string { return "" }

// Table is the Log Analytics table of the kind.
func (k Kind) Table() string { return "" }

// A Road is a way on which records reach a reader.
type Road uint8

// The roads.
const (
	Graph Road = iota
	EventHub
	Storage
	Workspace
	Activity
)

// An Event is something that happened; it never changes.
type Event struct {
	ID   string // as Graph has it
	Kind Kind
	At   time.Time
	// Correlation is shared by the events of one action.
	Correlation string
	// UserID and UserPrincipalName are of who acted, or signed in; empty for
	// applications.
	UserID, UserPrincipalName string
	// AppID and ServicePrincipalID are of the application used, or acting.
	AppID, ServicePrincipalID string
	// Operation is the activity of an audit event, "Sign-in activity" else.
	Operation string
	// Code is the result type of a sign-in.
	Code int
	// Targets are the ids of what an audit event changed.
	Targets []string
}

// Versions is 2 where a fuller copy of the record comes later, else 1.
func (e *Event) Versions() int { return 1 }

// Graph is the event as an entity of Microsoft Graph (beta; V1 trims it).
func (e *Event) Graph(version int) []byte { return nil }

// V1 is the entity as Graph v1.0 has it; nil for kinds that are only in beta.
func (e *Event) V1(version int) []byte { return nil }

// Diagnostic is the event in the envelope of diagnostic settings, or of
// Defender's streaming.
func (e *Event) Diagnostic(version int) []byte { return nil }

// Row is the event as a row of its Log Analytics table.
func (e *Event) Row(version int) map[string]any { return nil }

// Activity is the event as a record of the Management Activity API; nil where
// that feed has none.
func (e *Event) Activity() []byte { return nil }

// Content is the content type of the Management Activity API in which the
// event stands; empty where that feed has none.
func (e *Event) Content() string { return "" }
