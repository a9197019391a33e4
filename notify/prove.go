package notify

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward"
)

const (
	// ProofHolds is how long a receiver counts as proven; one that nobody has
	// proven for so long is a finding.
	ProofHolds = 30 * 24 * time.Hour
	// challengeLife is how long a person may take to type a code back.
	challengeLife = 30 * time.Minute
	// maxWrong is how many wrong codes end the challenges that are open: a code has
	// six digits.
	maxWrong = 10
)

// A Challenge is a test that went to one receiver, with a code that only who
// reads it there can know.
type Challenge struct {
	TestResult
	Code string `json:"-"`
	// Notice is the test's key. Handle is what the service calls it, if it has a
	// name for it.
	Notice glassward.NoticeID `json:"-"`
	Handle string             `json:"-"`
}

// Prove sends a test to each receiver of a group, or to those that are named, as
// loud and signed as an alarm, all at once and past the outbox, with a code of its
// own for each. An error says that there is no such group or receiver; nothing was
// sent then.
func (f *Fleet) Prove(ctx context.Context, group string, receivers ...string) ([]Challenge, error) {
	g, err := f.group(group)
	if err != nil {
		return nil, err
	}
	for _, name := range receivers {
		if !slices.ContainsFunc(g.Receivers(), func(r string) bool { return strings.EqualFold(r, name) }) {
			return nil, fmt.Errorf("action group %s has no receiver %q; it has: %s", g.Name, PlainText(name), strings.Join(g.Receivers(), ", "))
		}
	}
	var list []Challenge
	for _, r := range f.tested(g) {
		_, name := splitName(r.Receiver)
		if len(receivers) > 0 && !slices.ContainsFunc(receivers, func(only string) bool { return strings.EqualFold(only, name) }) {
			continue
		}
		code, err := newCode()
		if err != nil {
			return nil, err
		}
		list = append(list, Challenge{TestResult: r, Code: code, Notice: glassward.NoticeID("prove-" + rand.Text())})
	}
	var work sync.WaitGroup
	for i := range list {
		c := &list[i]
		work.Go(func() {
			out := f.try(ctx, g, &c.TestResult, glassward.Notice{
				ID: c.Notice, Group: g.Name, Severity: glassward.High, Kind: "test", Created: time.Now(),
				Why: "Test of the alarm, nothing has happened. Your code is " + c.Code + ": tell it to whoever asked for it.",
			})
			c.Handle = out.Handle
		})
	}
	work.Wait()
	return list, nil
}

// newCode gives six digits.
func newCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%06d", n), nil
}

// Withdraw ends a test at services that keep it open until they are told:
// PagerDuty's is resolved.
func (f *Fleet) Withdraw(ctx context.Context, receiver string, notice glassward.NoticeID) {
	r, ok := f.receiver(receiver)
	if _, keeps := r.(*pagerDutyReceiver); !ok || !keeps {
		return
	}
	group, _ := splitName(receiver)
	r.Deliver(ctx, Message{Notice: glassward.Notice{ID: notice, Group: group, Kind: "closed", Created: time.Now()}, Group: group, Receiver: receiver, Attempt: 1})
}

// A Proof is what is known of one receiver's way to a person.
type Proof struct {
	// Receiver is the full name, "group/receiver".
	Receiver string `json:"receiver"`
	// Form is a hash of how it is configured: one that is changed is a new one.
	Form string `json:"form,omitempty"`
	// Since is when it was first seen so.
	Since time.Time `json:"since"`
	// Proven is when a person last typed back what came by it, By whose word that
	// is, and Via by which way: zero and empty if nobody has.
	Proven time.Time `json:"proven,omitzero"`
	By     string    `json:"by,omitempty"`
	Via    string    `json:"via,omitempty"`
	// Waiting says that a code is out and has not come back.
	Waiting bool `json:"waiting,omitempty"`
}

// Due gives when the receiver becomes a finding, or became one: ProofHolds after
// it was proven, or was first seen.
func (p Proof) Due() time.Time {
	if p.Proven.After(p.Since) {
		return p.Proven.Add(ProofHolds)
	}
	return p.Since.Add(ProofHolds)
}

// Proofs knows which receivers were proven. It is safe for concurrent use.
type Proofs struct {
	mu    sync.Mutex
	known map[string]Proof // by full name, lower case
	open  []challenge
	wrong int
}

// A challenge is a code that is out. Of the code itself only a hash is there.
type challenge struct {
	Receiver string             `json:"receiver"`
	Sum      string             `json:"sum"`
	Handle   string             `json:"handle,omitempty"`
	Notice   glassward.NoticeID `json:"notice"`
	Sent     time.Time          `json:"sent"`
	Until    time.Time          `json:"until"`
}

// sum is the hash of a code of the challenge.
func (c challenge) sum(code string) string {
	h := sha256.Sum256([]byte(string(c.Notice) + "\x00" + code))
	return hex.EncodeToString(h[:])
}

// kept is what Text writes.
type kept struct {
	Proofs []Proof     `json:"proofs"`
	Open   []challenge `json:"open,omitempty"`
	Wrong  int         `json:"wrong,omitempty"`
}

// ReadProofs gives what Text wrote; of nothing it gives proofs of nobody.
func ReadProofs(text []byte) (*Proofs, error) {
	p := &Proofs{known: map[string]Proof{}}
	if len(text) == 0 {
		return p, nil
	}
	var k kept
	err := json.Unmarshal(text, &k)
	if err != nil { // an older version kept the list alone
		err = json.Unmarshal(text, &k.Proofs)
	}
	if err != nil {
		return p, fmt.Errorf("read what is known of the receivers' proofs: %w", err)
	}
	for _, x := range k.Proofs {
		p.known[strings.ToLower(x.Receiver)] = x
	}
	p.open, p.wrong = k.Open, k.Wrong
	return p, nil
}

// Text gives what is to be kept over a restart, codes that are out and how many wrong
// ones came among it.
func (p *Proofs) Text() ([]byte, error) {
	list := p.List(time.Time{})
	for i := range list {
		list[i].Waiting = false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return json.Marshal(kept{list, p.open, p.wrong})
}

// Follow takes over the receivers of a configuration, and says whether anything
// changed. One that is new, or configured differently, is proven by nobody.
func (p *Proofs) Follow(c Config, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := false
	there := map[string]bool{}
	for full, form := range c.forms() {
		name := strings.ToLower(full)
		there[name] = true
		if old, ok := p.known[name]; !ok || old.Form != form {
			p.known[name] = Proof{Receiver: full, Form: form, Since: now}
			changed = true
		}
	}
	for name := range p.known {
		if !there[name] {
			delete(p.known, name)
			changed = true
		}
	}
	return changed
}

// forms gives a hash of how each receiver is configured, by its full name, with
// the servers and companies that it goes through. Secrets are references there.
func (c Config) forms() map[string]string {
	out := map[string]string{}
	put := func(g ActionGroup, name string, what ...any) {
		text, err := json.Marshal(what)
		if err != nil { // plain data
			text = []byte(name)
		}
		sum := sha256.Sum256(text)
		out[fullName(g.Name, name)] = hex.EncodeToString(sum[:16])
	}
	for _, g := range c.ActionGroups {
		for _, r := range g.Email {
			server, _ := c.server(r)
			put(g, r.Name, r, server)
		}
		for _, s := range g.services() {
			switch r := s.service.(type) {
			case SMSReceiver:
				list, _ := r.providers(c, textsPeople)
				put(g, s.label(), r, list)
			case VoiceReceiver:
				list, _ := r.providers(c, PhoneProvider.speaks)
				put(g, s.label(), r, list)
			default:
				put(g, s.label(), s.kind, r)
			}
		}
	}
	return out
}

// Await notes that a code is out. One that was out to the same receiver before
// holds no more.
func (p *Proofs) Await(c Challenge, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = slices.DeleteFunc(p.open, func(o challenge) bool { return strings.EqualFold(o.Receiver, c.Receiver) || o.Until.Before(now) })
	if len(p.open) == 0 {
		p.wrong = 0
	}
	now = now.UTC().Round(0)
	x := challenge{Receiver: c.Receiver, Handle: c.Handle, Notice: c.Notice, Sent: now, Until: now.Add(challengeLife)}
	x.Sum = x.sum(c.Code)
	p.open = append(p.open, x)
}

// The ways in which an answer proves nothing.
var (
	// ErrNoChallenge: no code is out, or none any more.
	ErrNoChallenge = errors.New("no code is out: glassward notify prove GROUP sends one to each receiver; it holds half an hour")
	// ErrWrongCode: it is none of those that are out.
	ErrWrongCode = errors.New("this is no code that was sent: type the six digits as they stand in the test")
)

// Answer takes a text that holds a code, from anywhere (receiver empty) or from a
// receiver itself, and gives what it proves, and the test's key.
func (p *Proofs) Answer(text, receiver, by, via string, now time.Time) (Proof, glassward.NoticeID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = slices.DeleteFunc(p.open, func(o challenge) bool { return o.Until.Before(now) })
	if len(p.open) == 0 {
		return Proof{}, "", ErrNoChallenge
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	for i, o := range p.open {
		if receiver != "" && !strings.EqualFold(receiver, o.Receiver) {
			continue
		}
		for _, w := range append(words, strings.Join(words, "")) {
			if subtle.ConstantTimeCompare([]byte(o.sum(w)), []byte(o.Sum)) == 1 {
				return p.prove(i, by, via, now), o.Notice, nil
			}
		}
	}
	if receiver != "" && !slices.ContainsFunc(words, func(w string) bool { return len(w) == 6 }) {
		return Proof{}, "", ErrWrongCode // somebody wrote something else
	}
	if p.wrong++; p.wrong >= maxWrong {
		p.open, p.wrong = nil, 0
		return Proof{}, "", fmt.Errorf("%w; that was the %dth wrong one, and no code holds any more", ErrWrongCode, maxWrong)
	}
	return Proof{}, "", ErrWrongCode
}

// Acknowledged takes the word of a service that a person has acknowledged the
// test that it calls by this handle; the error is ErrNoChallenge if no test is.
func (p *Proofs) Acknowledged(receiver, handle, by, via string, now time.Time) (Proof, glassward.NoticeID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, o := range p.open {
		if o.Handle != "" && o.Handle == handle && strings.EqualFold(o.Receiver, receiver) && !o.Until.Before(now) {
			return p.prove(i, by, via, now), o.Notice, nil
		}
	}
	return Proof{}, "", ErrNoChallenge
}

// An OpenChallenge is a test whose code has not come back.
type OpenChallenge struct {
	Receiver, Handle string
	Sent             time.Time
}

// Open gives the tests whose codes are out.
func (p *Proofs) Open(now time.Time) []OpenChallenge {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []OpenChallenge
	for _, o := range p.open {
		if !o.Until.Before(now) {
			out = append(out, OpenChallenge{o.Receiver, o.Handle, o.Sent})
		}
	}
	return out
}

func (p *Proofs) prove(i int, by, via string, now time.Time) Proof {
	name := strings.ToLower(p.open[i].Receiver)
	x := p.known[name]
	x.Receiver, x.Proven, x.By, x.Via = p.open[i].Receiver, now, by, via
	p.known[name] = x
	p.open = slices.Delete(p.open, i, i+1)
	return x
}

// List gives what is known of every receiver, sorted by name.
func (p *Proofs) List(now time.Time) []Proof {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Proof, 0, len(p.known))
	for _, x := range p.known {
		x.Waiting = slices.ContainsFunc(p.open, func(o challenge) bool {
			return strings.EqualFold(o.Receiver, x.Receiver) && !o.Until.Before(now)
		})
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b Proof) int { return strings.Compare(a.Receiver, b.Receiver) })
	return list
}
