package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"glassward"
)

// A PhoneProvider is a company that texts and calls people for us. Receivers
// take the first that works.
type PhoneProvider struct {
	Name string `yaml:"name" json:"name"`
	// Type is twilio (text and voice) or vonage (text).
	Type ProviderType `yaml:"type" json:"type"`
	// Account is Twilio's account SID ("AC…") or Vonage's API key.
	Account string `yaml:"account" json:"account"`
	// APIKey is a Twilio API key ("SK…"), whose secret is then given in place of
	// the account's token.
	APIKey string `yaml:"apiKey,omitempty" json:"apiKey,omitempty"`
	// Secret is Twilio's token or the API key's secret, Vonage's API secret, by
	// reference.
	Secret glassward.Secret `yaml:"secret" json:"secret"`
	// From is the number that texts and calls come from, "+15005550006"; for texts
	// a name of at most 11 letters and digits will do where the country allows it.
	From string `yaml:"from,omitempty" json:"from,omitempty"`
	// MessagingService ("MG…") takes From's place for Twilio's texts.
	MessagingService string `yaml:"messagingService,omitempty" json:"messagingService,omitempty"`
	// Endpoint is the API's address without a path; the provider's own if empty.
	Endpoint string `yaml:"endpoint,omitempty" json:"endpoint,omitempty"`
	Reach    `yaml:",inline"`
}

// A ProviderType names a company's API.
type ProviderType string

// The types.
const (
	Twilio ProviderType = "twilio"
	Vonage ProviderType = "vonage"
)

// phoneTimeout bounds a call of a provider: the next one waits for it.
const phoneTimeout = 10 * time.Second

var (
	number    = regexp.MustCompile(`^\+[1-9][0-9]{7,14}$`)
	senderID  = regexp.MustCompile(`^[A-Za-z0-9 ]{1,11}$`)
	twilioSID = regexp.MustCompile(`^(AC|SK|MG)[0-9a-fA-F]{32}$`)
)

func (s PhoneProvider) validate(p place) {
	p.needs("secret", s.Secret)
	if s.Account == "" {
		p.say("account: missing; Twilio's account SID (AC…) or Vonage's API key")
	}
	if !number.MatchString(s.From) && !senderID.MatchString(s.From) && (s.From != "" || s.MessagingService == "") {
		p.say("from %q: a number as +15005550006, or at most 11 letters and digits", s.From)
	}
	switch s.Type {
	case Twilio:
		for field, value := range map[string]string{"account AC": s.Account, "apiKey SK": s.APIKey, "messagingService MG": s.MessagingService} {
			name, prefix, _ := strings.Cut(field, " ")
			if value != "" && (!twilioSID.MatchString(value) || !strings.HasPrefix(value, prefix)) {
				p.say("%s %q: %s and 32 hex digits", name, value, prefix)
			}
		}
	case Vonage:
		if s.APIKey != "" || s.MessagingService != "" {
			p.say("apiKey and messagingService are Twilio's; Vonage's API key goes under account")
		}
	default:
		p.say("type %q: use twilio or vonage", s.Type)
	}
	p.address("endpoint", cmp.Or(s.Endpoint, twilioEndpoint))
	s.Reach.validate(p)
}

// speaks tells whether the provider can call.
func (s PhoneProvider) speaks() bool { return s.Type == Twilio && number.MatchString(s.From) }

func (s PhoneProvider) open(n Network) (phoneProvider, error) {
	if s.Timeout == 0 {
		s.Timeout = phoneTimeout
	}
	c, err := newCaller(s.Reach, n)
	if err != nil {
		return nil, fmt.Errorf("phone provider %s: %w", s.Name, err)
	}
	if s.Type == Vonage {
		return &vonage{s, c}, nil
	}
	return &twilio{s, c}, nil
}

// A phoneProvider reaches one number, once.
type phoneProvider interface {
	name() string
	// text sends an SMS; id is the notice's key.
	text(ctx context.Context, to string, s sms, id string) Outcome
	// speak calls and says the words twice.
	speak(ctx context.Context, to, words string) Outcome
}

// A Phone is the number of a receiver, as Azure writes it.
type Phone struct {
	// CountryCode is "49", PhoneNumber the number without it.
	CountryCode string `yaml:"countryCode" json:"countryCode"`
	PhoneNumber string `yaml:"phoneNumber" json:"phoneNumber"`
	// Providers names the phone providers in the order in which they are tried;
	// all that can, in the configuration's order, if empty.
	Providers []string `yaml:"providers,omitempty" json:"providers,omitempty"`
	// Status is read so that a group exported from Azure loads; it changes nothing
	// here.
	Status string `yaml:"status,omitempty" json:"status,omitempty"`
}

// e164 gives the number as +491701234567.
func (f Phone) e164() string {
	digits := strings.NewReplacer(" ", "", "-", "", "/", "", "(", "", ")", "").Replace(f.PhoneNumber)
	return "+" + strings.TrimLeft(f.CountryCode, "+0") + strings.TrimLeft(digits, "0")
}

// providers gives those that a receiver goes through.
func (f Phone) providers(c Config, fit func(PhoneProvider) bool) ([]PhoneProvider, error) {
	var out []PhoneProvider
	if len(f.Providers) == 0 {
		for _, s := range c.PhoneProviders {
			if fit(s) {
				out = append(out, s)
			}
		}
		if len(out) == 0 {
			return nil, errors.New("there is no phone provider for it: add one under phoneProviders (type, account, secret, from)")
		}
		return out, nil
	}
	for _, name := range f.Providers {
		i := slices.IndexFunc(c.PhoneProviders, func(s PhoneProvider) bool { return strings.EqualFold(s.Name, name) })
		switch {
		case i < 0:
			return nil, fmt.Errorf("there is no phone provider %q under phoneProviders", name)
		case !fit(c.PhoneProviders[i]):
			return nil, fmt.Errorf("phone provider %q cannot call people: that takes type twilio and a number as from", name)
		}
		out = append(out, c.PhoneProviders[i])
	}
	return out, nil
}

func (f Phone) validate(c Config, p place, fit func(PhoneProvider) bool) {
	if !number.MatchString(f.e164()) {
		p.say("countryCode %q, phoneNumber %q: no telephone number; write countryCode: \"49\", phoneNumber: \"1701234567\"", f.CountryCode, f.PhoneNumber)
	}
	if _, err := f.providers(c, fit); err != nil {
		p.say("providers: %w", err)
	}
}

func (f Phone) open(c Config, n Network, fit func(PhoneProvider) bool) ([]phoneProvider, error) {
	list, err := f.providers(c, fit)
	if err != nil {
		return nil, err
	}
	out := make([]phoneProvider, len(list))
	for i, s := range list {
		if out[i], err = s.open(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// firstThatWorks asks one provider after the other until one takes it. What the
// ones before it said is Weak, since only the last rope holds. If none does, the
// most hopeful verdict counts, and the shortest wait.
func firstThatWorks(providers []phoneProvider, try func(phoneProvider) Outcome) Outcome {
	var said []string
	all := Outcome{Verdict: Refused}
	for _, p := range providers {
		out := try(p)
		line := p.name() + ": " + out.Answer
		if out.Verdict == Accepted {
			weak := strings.Join(said, "; ")
			if weak != "" {
				line += " (before it, " + weak + ")"
			}
			return Outcome{Verdict: Accepted, Answer: answer(line), Weak: answer(weak)}
		}
		said = append(said, line)
		if out.Verdict < all.Verdict { // Retry, Mend, Refused
			all.Verdict = out.Verdict
		}
		if out.RetryAfter > 0 && (all.RetryAfter == 0 || out.RetryAfter < all.RetryAfter) {
			all.RetryAfter = out.RetryAfter
		}
	}
	all.Answer = answer(strings.Join(said, "; "))
	return all
}

// apiURL joins a provider's address and a path.
func apiURL(address, path string) (*url.URL, error) {
	u, err := endpoint("endpoint", address)
	if err != nil {
		return nil, err
	}
	return u.JoinPath(path), nil
}
