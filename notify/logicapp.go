package notify

import (
	"context"

	"glassward"
)

// A LogicAppReceiver is a Logic App with a request trigger. It gets the common
// alert schema, as from Azure Monitor.
type LogicAppReceiver struct {
	Name string `yaml:"name" json:"name"`
	// ResourceID and UseCommonAlertSchema are read so that a group exported from
	// Azure loads; they change nothing here.
	ResourceID           string `yaml:"resourceId,omitempty" json:"resourceId,omitempty"`
	UseCommonAlertSchema bool   `yaml:"useCommonAlertSchema,omitempty" json:"useCommonAlertSchema,omitempty"`
	// CallbackURL is the trigger's address by reference, since it carries its own
	// password (sig=…).
	CallbackURL glassward.Secret `yaml:"callbackUrl" json:"callbackUrl"`
	Reach       `yaml:",inline"`
}

func (r LogicAppReceiver) label() string { return r.Name }

func (r LogicAppReceiver) destination() string { return string(r.CallbackURL) }

func (r LogicAppReceiver) validate(_ Config, p place) {
	p.needs("callbackUrl", r.CallbackURL)
	r.Reach.validate(p)
}

func (r LogicAppReceiver) lint(Watched) ([]Finding, string) {
	return nil, "a Logic App runs in Azure, with the tenant's identities"
}

func (r LogicAppReceiver) by(c caller) Receiver { return &logicAppReceiver{r, c} }

type logicAppReceiver struct {
	LogicAppReceiver
	caller caller
}

// Deliver calls the trigger. The run's client tracking id is the notice's key,
// the same in every repeat.
func (r *logicAppReceiver) Deliver(ctx context.Context, m Message) Outcome {
	target, err := endpoint("callbackUrl", string(r.CallbackURL))
	if err != nil {
		return mend(err)
	}
	body, err := commonAlert(m)
	if err != nil {
		return mend(err)
	}
	header := jsonHeader()
	header["x-ms-client-tracking-id"] = []string{key(string(m.Notice.ID))}
	return r.caller.do(ctx, call{target: target, header: header, body: body}, flowVerdict)
}
