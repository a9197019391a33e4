package notify

import (
	"context"
	"net/http"
	"strings"
	"time"

	"glassward"
)

// A Heartbeat is the dead man's ping: a service that raises an alarm of its own when
// we fall silent. It speaks healthchecks' protocol
// (https://healthchecks.io/docs/http_api).
type Heartbeat struct {
	// URL is a reference to the check's address: whoever has it can keep the check
	// quiet.
	URL glassward.Secret `yaml:"url" json:"url"`
	// Every is how often it is sent; a minute if zero.
	Every time.Duration `yaml:"every,omitempty" json:"every,omitempty"`
	Reach `yaml:",inline"`
}

// Beat is the kind of the notices by which the house shows itself that records become
// notices. They end at the courier.
const Beat = "heartbeat"

// Bounds of a heartbeat's interval.
const (
	defaultBeat  = time.Minute
	shortestBeat = 30 * time.Second
	longestBeat  = time.Hour
)

// Interval gives the time between two pings.
func (h Heartbeat) Interval() time.Duration {
	if h.Every == 0 {
		return defaultBeat
	}
	return h.Every
}

func (h Heartbeat) validate(p place) {
	if h.URL == "" {
		p.say("url: missing; give env:NAME or file:PATH of the check's address")
	}
	p.secret("url", h.URL)
	if d := h.Interval(); d < shortestBeat || d > longestBeat {
		p.say("every %s: from %s to %s", d, shortestBeat, longestBeat)
	}
	h.Reach.validate(p)
}

// A Pinger sends a heartbeat.
type Pinger struct {
	Heartbeat
	caller caller
}

// NewPinger makes the pinger of a heartbeat.
func NewPinger(h Heartbeat, n Network) (*Pinger, error) {
	c, err := newCaller(h.Reach, n.withDefaults())
	if err != nil {
		return nil, err
	}
	return &Pinger{h, c}, nil
}

// Ping tells the service that all is well, or that it is not, with a text of at most
// 10 KB that it keeps.
func (p *Pinger) Ping(ctx context.Context, well bool, text string) Outcome {
	target, err := endpoint("heartbeat.url", string(p.URL))
	if err != nil {
		return mend(err)
	}
	if !well {
		target = target.JoinPath("fail")
	}
	const most = 10_000
	k := call{target: target, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body: []byte(cutBytes(strings.ToValidUTF8(text, "?"), most))}
	return p.caller.do(ctx, k, pinged)
}

// pinged judges the answer: 200 is also what the service says to a check that it does
// not know, and to a ping that it did not count.
func pinged(r reply) (Verdict, string) {
	v, said := byStatus(r)
	text := strings.ToLower(string(r.body))
	switch {
	case v != Accepted:
	case strings.Contains(text, "not found"):
		return Mend, "there is no such check"
	case strings.Contains(text, "rate limited"):
		return Retry, "the ping was not counted: too many"
	}
	return v, said
}
