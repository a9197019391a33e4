package rule

import (
	"context"
	"maps"

	"glassward"
)

// Update is the flag by which tests rewrite the expected parts of testdata.
var Update = update

// AlertsOf gives what a rule raises on records, with the declarations of a
// fixture.
func AlertsOf(ctx context.Context, r *Rule, f *Fixture, records []byte, env Environment, bench Bench) ([]glassward.Alert, error) {
	lists := maps.Clone(env.Watchlists)
	lists["EmergencyAccounts"], lists["ProtectedObjects"] = EmergencyAccounts(f.Accounts...), ProtectedObjects(f.Objects...)
	env.Watchlists = lists
	return runCase(ctx, r, &Case{Records: records}, env, bench)
}
