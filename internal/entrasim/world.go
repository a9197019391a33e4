package entrasim

import (
	"sync"
	"time"
)

// Options say what world is made. The zero value of every field but Start is
// usable.
type Options struct {
	// Seed decides everything: the same seed and the same calls give the same
	// ids, moments and bytes.
	Seed uint64
	// Tenant names the tenant; the zero value is the tenant of the constants.
	Tenant TenantOptions
	// Start is the moment at which life begins.
	Start time.Time
	// Users is the number of people; 200 when zero.
	Users int
	// Rates scale ordinary life; the zero value is Normal().
	Rates Rates
	// Late is the share of appearances that come hours late.
	Late float64
	// Repeated is the share of appearances that a road shows again.
	Repeated float64
	// Prompt makes every road show its records within seconds, for demos.
	Prompt bool
	// Outages are the times at which a road shows nothing.
	Outages []Outage
}

// TenantOptions name a tenant.
type TenantOptions struct{ ID, Name, Domain string }

// An Outage is a time in which a road shows nothing; what would have appeared
// then appears after its end.
type Outage struct {
	Road     Road
	From, To time.Time
}

// Rates are the events of ordinary life: of people per person and working day,
// of the rest per hour.
type Rates struct {
	// Interactive and NonInteractive are sign-ins a person and working day.
	Interactive, NonInteractive float64
	// ServicePrincipal and ManagedIdentity are sign-ins an hour of the tenant.
	ServicePrincipal, ManagedIdentity float64
	// Audit, Provisioning, Risk and CloudApp are events a working day of a
	// tenant of 200 people; they grow with the number of people.
	Audit, Provisioning, Risk, CloudApp float64
}

// A World is a living tenant: what happens in it, and when which road shows
// it. It is safe for concurrent use.
type World struct {
	mu sync.Mutex
	o  Options
}

// An Appearance is the moment at which a road shows a version of an event.
type Appearance struct {
	Event   *Event
	Version int
	At      time.Time
}

// NewWorld makes a world that has not lived yet.
func NewWorld(o Options) *World { return &World{o: o} }

// Tenant tells whose world it is.
func (w *World) Tenant() TenantOptions { return w.o.Tenant }

// Now is the moment until which the world has lived.
func (w *World) Now() time.Time { return w.o.Start }

// Advance lets the world live until to.
func (w *World) Advance(to time.Time) {}

// Appearances gives what a road shows after one moment and up to another, in
// order of time, then of creation. Nothing appears that lies beyond Now.
func (w *World) Appearances(r Road, after, upTo time.Time) []Appearance { return nil }

// Settled is the last moment at which some road shows something of what has
// happened so far.
func (w *World) Settled() time.Time { return w.o.Start }

// Events gives all that has happened so far, in order of creation.
func (w *World) Events() []*Event { return nil }

// Cut adds an outage, also while the world lives.
func (w *World) Cut(o Outage) {}
