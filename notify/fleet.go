package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"glassward"
)

// Network is how receivers reach the world; the zero value is the real one.
type Network struct {
	Dial    DialFunc
	Resolve ResolveFunc
}

func (n Network) withDefaults() Network {
	if n.Dial == nil {
		n.Dial = new(net.Dialer).DialContext
	}
	if n.Resolve == nil {
		n.Resolve = net.DefaultResolver.LookupNetIP
	}
	return n
}

// A Fleet is a configuration in use: its receivers, ready to deliver. It does
// not change; a reload makes a new one. It is safe for concurrent use.
type Fleet struct {
	config    Config
	receivers map[string]Receiver // by full name, lower case
	lines     []textLine
}

// NewFleet makes the receivers of a configuration that Validate accepts. What
// fails for one of them (a certificate file that cannot be read) is in the
// error, and the fleet is whole all the same: that receiver answers every
// message with the error, which becomes an alarm, and the others deliver.
func NewFleet(c Config, n Network) (*Fleet, error) {
	n = n.withDefaults()
	f := &Fleet{config: c, receivers: map[string]Receiver{}}
	var errs []error
	broken := func(path string, err error) Receiver {
		err = fmt.Errorf("%s: %w", path, err)
		errs = append(errs, err)
		return brokenReceiver{err}
	}
	servers := map[string]*mailServer{}
	html := newHTMLRenderer()
	for _, g := range c.ActionGroups {
		for _, r := range g.Email {
			full := fullName(g.Name, r.Name)
			settings, err := c.server(r)
			server := servers[settings.Name]
			if err == nil && server == nil {
				if server, err = newMailServer(settings, n.Dial); err == nil {
					servers[settings.Name] = server
				}
			}
			if err != nil {
				f.put(full, broken(full, err))
				continue
			}
			f.put(full, &emailReceiver{to: r.EmailAddress, server: server, html: html})
		}
		for _, s := range g.services() {
			full := fullName(g.Name, s.label())
			r, err := openService(s.service, c, n)
			if err != nil {
				r = broken(full, err)
			}
			f.put(full, r)
		}
	}
	for _, p := range c.PhoneProviders {
		if !p.hearsTexts() {
			continue // nobody can answer a name, and Vonage is not to be asked for texts
		}
		opened, err := p.open(n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		f.lines = append(f.lines, textLine{p.Name, opened.(*twilio).texts})
	}
	return f, errors.Join(errs...)
}

// openService makes the receiver of a service.
func openService(s service, c Config, n Network) (Receiver, error) {
	switch s := s.(type) {
	case called:
		k, err := newCaller(s.reach(), n)
		if err != nil {
			return nil, err
		}
		return s.by(k), nil
	case made:
		return s.open(c, n)
	}
	return nil, fmt.Errorf("%T is neither called nor made: please report this", s)
}

func (f *Fleet) put(full string, r Receiver) { f.receivers[strings.ToLower(full)] = r }

func (f *Fleet) receiver(full string) (Receiver, bool) {
	r, ok := f.receivers[strings.ToLower(full)]
	return r, ok
}

// Config gives the configuration that the fleet was made from.
func (f *Fleet) Config() Config { return f.config }

// route gives the full names of the receivers of a group that a notice goes to,
// none if the group does not exist.
func (f *Fleet) route(group string, n glassward.Notice) []string {
	g, ok := f.config.Group(group)
	if !ok {
		return nil
	}
	names := g.addressees(n)
	for i, name := range names {
		names[i] = fullName(g.Name, name)
	}
	return names
}

// A brokenReceiver could not be made; it says so each time.
type brokenReceiver struct{ err error }

func (b brokenReceiver) Deliver(context.Context, Message) Outcome {
	return Outcome{Verdict: Mend, Answer: answer(b.err.Error())}
}
