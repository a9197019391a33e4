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
	// Type is twilio or vonage; both text and call.
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
	// Application is the id of a Vonage application with voice, and PrivateKey the
	// PEM text of its key, by reference. Vonage calls nobody without them.
	Application string           `yaml:"application,omitempty" json:"application,omitempty"`
	PrivateKey  glassward.Secret `yaml:"privateKey,omitempty" json:"privateKey,omitempty"`
	// Reports has Vonage's Reports API asked whether texts have arrived; Vonage
	// charges for it.
	Reports bool `yaml:"reports,omitempty" json:"reports,omitempty"`
	// MessagingService ("MG…") takes From's place for Twilio's texts.
	MessagingService string `yaml:"messagingService,omitempty" json:"messagingService,omitempty"`
	// CallbackURL is the https address at which the provider reaches us, without a
	// path; then keys can be pressed during a call, and texts and reports come by
	// themselves. It takes an open port, and SignatureSecret: Vonage's signature
	// secret; Twilio's auth token where Secret is that of an API key.
	CallbackURL     string           `yaml:"callbackUrl,omitempty" json:"callbackUrl,omitempty"`
	SignatureSecret glassward.Secret `yaml:"signatureSecret,omitempty" json:"signatureSecret,omitempty"`
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
	number            = regexp.MustCompile(`^\+[1-9][0-9]{7,14}$`)
	senderID          = regexp.MustCompile(`^[A-Za-z0-9 ]{1,11}$`)
	vonageApplication = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

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
		if s.Application != "" || s.PrivateKey != "" {
			p.say("application and privateKey are Vonage's")
		}
		if s.Reports {
			p.say("reports is Vonage's; Twilio is always asked")
		}
	case Vonage:
		p.secret("privateKey", s.PrivateKey)
		if (s.Application == "") != (s.PrivateKey == "") {
			p.say("application and privateKey go together: the id of a Vonage application with voice, and its key")
		}
		if s.Application != "" && !vonageApplication.MatchString(s.Application) {
			p.say("application %q: the GUID that the application's page shows", s.Application)
		}
		if s.APIKey != "" || s.MessagingService != "" {
			p.say("apiKey and messagingService are Twilio's; Vonage's API key goes under account")
		}
	default:
		p.say("type %q: use twilio or vonage", s.Type)
	}
	p.address("endpoint", cmp.Or(s.Endpoint, twilioEndpoint))
	p.secret("signatureSecret", s.SignatureSecret)
	if s.CallbackURL != "" {
		p.address("callbackUrl", s.CallbackURL)
		if u, err := url.Parse(s.CallbackURL); err != nil || u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || isLoopback(u.Hostname()) {
			p.say("callbackUrl %q: the https address at which %s reaches us, without a path", s.CallbackURL, s.Type)
		}
		if s.signatureSecret() == "" {
			p.say("callbackUrl needs signatureSecret, by which what calls there is verified")
		}
	}
	s.Reach.validate(p)
}

// speaks tells whether the provider can call.
func (s PhoneProvider) speaks() bool {
	return number.MatchString(s.From) && (s.Type == Twilio || s.Application != "")
}

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
	// text sends an SMS. The outcome's Handle is by what the
	// provider can be asked about it, empty if it cannot.
	text(ctx context.Context, to string, s sms, m Message) Outcome
	// speak calls and says the words twice; keys that a person presses take the
	// incident up where the provider calls us.
	speak(ctx context.Context, to, words string, m Message) Outcome
	// ask says what became of a text or a call, and in what words.
	ask(ctx context.Context, handle string) (arrival, string)
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
			return nil, fmt.Errorf("phone provider %q cannot call people: that takes a number as from, and of Vonage an application with its privateKey", name)
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

func (f Phone) open(c Config, n Network, fit func(PhoneProvider) bool) (lineup, error) {
	list, err := f.providers(c, fit)
	if err != nil {
		return nil, err
	}
	out := make(lineup, len(list))
	for i, s := range list {
		if out[i], err = s.open(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// apiURL joins a provider's address and a path.
func apiURL(address, path string) (*url.URL, error) {
	u, err := endpoint("endpoint", address)
	if err != nil {
		return nil, err
	}
	return u.JoinPath(path), nil
}
