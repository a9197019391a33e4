package workspace

import (
	"encoding/json"
	"fmt"
	"time"
)

const version = 1

// A position is how far one table has been read.
type position struct {
	Version int `json:"v"`
	// Begun is where reading began, Through the ingestion time up to which it has
	// come, Hourly when more than the last minutes were last looked through again.
	Begun   time.Time `json:"begun"`
	Through time.Time `json:"through"`
	Hourly  time.Time `json:"hourly,omitzero"`
	// Again to AgainTo is what that look has not come to.
	Again   time.Time `json:"again,omitzero"`
	AgainTo time.Time `json:"againTo,omitzero"`
	// Size is how long a window may be at present.
	Size time.Duration `json:"size"`
	// Failing is since when the window at Through fails, Tries how often it did.
	Failing time.Time `json:"failing,omitzero"`
	Tries   int       `json:"tries,omitempty"`
}

// readPosition reads a position. The error says that it is none of ours.
func readPosition(text []byte) (position, error) {
	var p position
	if err := json.Unmarshal(text, &p); err != nil {
		return position{}, err
	}
	if p.Version != version {
		return position{}, fmt.Errorf("it has version %d, and this program knows version %d", p.Version, version)
	}
	if p.Through.IsZero() || p.Begun.After(p.Through) || p.Size < 0 || p.Tries < 0 {
		return position{}, fmt.Errorf("it holds no time at which to go on")
	}
	p.Begun, p.Through, p.Hourly, p.Failing = p.Begun.UTC(), p.Through.UTC(), p.Hourly.UTC(), p.Failing.UTC()
	// Windows are of whole milliseconds, and nothing is looked at again that was not
	// read.
	p.Begun, p.Through = p.Begun.Truncate(least), p.Through.Truncate(least)
	p.Again, p.AgainTo = p.Again.UTC().Truncate(least), p.AgainTo.UTC().Truncate(least)
	if !p.AgainTo.IsZero() && (p.Again.Before(p.Begun) || p.AgainTo.After(p.Through)) {
		p.Again, p.AgainTo = p.Begun, p.Through
	}
	p.Size = min(max(p.Size.Truncate(least), least), longest)
	return p, nil
}

// text gives the position as it is kept.
func (p position) text() []byte {
	p.Version = version
	text, err := json.Marshal(p)
	if err != nil {
		// Times of this century and numbers are all there is.
		panic("workspace: " + err.Error())
	}
	return text
}
