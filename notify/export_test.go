package notify

import (
	"testing"

	"glassward"
)

// What the tests outside the package need of it: those that stand above the
// house because they use the mail server.
type (
	MemoryOutbox = memoryOutbox
	Troubles     = troubles
)

const (
	DefaultMailTimeout    = defaultMailTimeout
	DefaultWebhookTimeout = defaultWebhookTimeout
	PerReceiver           = perReceiver
	MaxAnswer             = maxAnswer
)

var Loopback = loopback

func NewMemoryOutbox() *MemoryOutbox { return newOutbox() }

func (o *memoryOutbox) Owe(id, group string) { o.owe(id, group) }

func (o *memoryOutbox) Of(receiver string) map[glassward.NoticeID]glassward.Delivery {
	return o.of(receiver)
}

func (o *memoryOutbox) AttemptsAt(receiver string, id glassward.NoticeID) []glassward.Attempt {
	return o.attemptsAt(receiver, id)
}

func (l *troubles) Tell(t Trouble) { l.tell(t) }

func RunCourier(t *testing.T, o Options) (c *Courier, end func()) { return run(t, o) }

func MailTo(t testing.TB, s MailServer, n Network) (*Fleet, Config) { return mailTo(t, s, n) }

func DeliverSignIn(t testing.TB, f *Fleet) Outcome { return deliver(t, f) }

func NewWebhook(r WebhookReceiver, dial DialFunc, resolve ResolveFunc) (Receiver, error) {
	return openService(r, Config{}, Network{Dial: dial, Resolve: resolve})
}

func SignInMessage() Message { return message() }

func OnCall() ActionGroup { return group() }

func SecretFile(t testing.TB, value string) glassward.Secret { return secret(t, value) }

func CAFile(t testing.TB, pem []byte) string { return caFile(t, pem) }
