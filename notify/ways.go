package notify

import "slices"

// A Way says by what a person can answer a receiver's messages, or why not.
type Way struct {
	// Receiver is the full name, "group/receiver".
	Receiver string `json:"receiver"`
	Works    bool   `json:"works"`
	// How says by what, or what it takes.
	How string `json:"how"`
}

// Ways gives the ways in for every receiver by which something comes back; of the
// others nothing but the page behind a link does.
func (c Config) Ways() []Way {
	var out []Way
	for _, g := range c.ActionGroups {
		for _, s := range g.services() {
			w := Way{Receiver: fullName(g.Name, s.label())}
			switch r := s.service.(type) {
			case SMSReceiver:
				list, _ := r.providers(c, textsPeople)
				w.Works = slices.ContainsFunc(list, PhoneProvider.hearsTexts)
				w.How = "a text back, which Twilio is asked for"
				if !w.Works {
					w.How = "nobody can text back: that takes a provider of type twilio with a number as from"
				}
			case VoiceReceiver:
				list, _ := r.providers(c, PhoneProvider.speaks)
				w.Works = slices.ContainsFunc(list, func(p PhoneProvider) bool { return p.CallbackURL != "" })
				w.How = "keys during the call, which the provider sends to callbackUrl"
				if !w.Works {
					w.How = "no key can be pressed during the call: that takes an open port, and callbackUrl at the phone provider"
				}
			case PushoverReceiver:
				w.Works, w.How = true, "a tap in the app, for which Pushover is asked"
			case PagerDutyReceiver:
				w.Works, w.How = r.APIToken != "", "an acknowledgement there, for which PagerDuty is asked"
				if !w.Works {
					w.How = "an acknowledgement there is not heard: that takes apiToken"
				}
			default:
				continue
			}
			out = append(out, w)
		}
	}
	return out
}

// hearsTexts tells whether texts to the provider's number can be asked for.
func (s PhoneProvider) hearsTexts() bool { return s.Type == Twilio && number.MatchString(s.From) }
