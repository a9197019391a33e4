package notify

import (
	"strings"
	"testing"

	"glassward"
)

// Who of a group gets which notice: the receivers that it names, and no telephone
// that it is too small for. It never goes to nobody.
func TestAddressees(t *testing.T) {
	phone := Phone{CountryCode: "49", PhoneNumber: "1701234567"}
	g := ActionGroup{
		Name: "oncall", Email: []EmailReceiver{{Name: "mail"}}, Ntfy: []NtfyReceiver{{Name: "push"}},
		SMS: []SMSReceiver{{Name: "text", Phone: phone}}, Voice: []VoiceReceiver{{Name: "call", Phone: phone}},
	}
	siem := ActionGroup{Name: "siem", Email: g.Email, Webhook: []WebhookReceiver{{Name: "hook"}}, LogicApp: []LogicAppReceiver{{Name: "app"}}}
	pager := ActionGroup{Name: "pager", Webhook: siem.Webhook}
	phones := ActionGroup{Name: "phones", SMS: g.SMS, Voice: g.Voice}
	for _, tt := range []struct {
		group     ActionGroup
		kind      string
		severity  glassward.Severity
		receivers string
		want      string
	}{
		{g, "fired", glassward.High, "", "mail push text call"},
		{g, "again", glassward.High, "", "mail push text call"},
		{g, "escalated", glassward.High, "CALL", "call"},
		{g, "repeated", glassward.High, "", "mail push text call"},
		{g, "fired", glassward.Medium, "", "mail push text"},
		{g, "fired", glassward.Low, "", "mail push"},
		{g, "health", glassward.High, "", "mail push text call"},
		{g, "health", glassward.Medium, "", "mail push text"},
		{g, "health", glassward.Low, "", "mail push"},
		{g, "acknowledged", glassward.High, "", "mail push text"},
		{g, "closed", glassward.High, "", "mail push"},
		{g, "digest", glassward.High, "", "mail push"},
		{g, "alive", glassward.Informational, "", "mail push"},
		{g, "storm", glassward.High, "", "mail push text call"},
		{g, "test", glassward.Informational, "", "mail push text call"},
		// The step has a voice alone, and this is not worth it: then the others of the
		// group, and where there are none, the voice.
		{g, "fired", glassward.Medium, "call", "mail push text"},
		{phones, "closed", glassward.High, "", "text call"},
		{phones, "closed", glassward.High, "call", "call"},
		{phones, "acknowledged", glassward.High, "call", "text"},
		// Programs hear an alarm once, unless there is nobody else to call.
		{siem, "fired", glassward.High, "", "mail hook app"},
		{siem, "repeated", glassward.High, "", "mail"},
		{siem, "closed", glassward.High, "", "mail hook app"},
		{pager, "repeated", glassward.High, "", "hook"},
		// Nobody whom it names is there any more.
		{g, "escalated", glassward.High, "omar", "mail push text call"},
	} {
		n := glassward.Notice{Kind: tt.kind, Severity: tt.severity, Receivers: strings.Fields(tt.receivers)}
		if got := strings.Join(tt.group.addressees(n), " "); got != tt.want {
			t.Errorf("%s %s to %s %q: %s, want %s", tt.severity, tt.kind, tt.group.Name, tt.receivers, got, tt.want)
		}
	}
}
