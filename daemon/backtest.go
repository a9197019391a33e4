package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"glassward/console"
	"glassward/kql"
	"glassward/logstore"
	"glassward/rule"
)

// A BacktestAnswer is what a rule would have raised, and what an older version of
// it, where one was given.
type BacktestAnswer struct {
	Rule       *rule.Backtest   `json:"rule"`
	Old        *rule.Backtest   `json:"old,omitempty"`
	Difference *rule.Difference `json:"difference,omitempty"`
}

const (
	backtestWait     = 10 * time.Minute
	backtestExamples = 20
	maxExamples      = 1000
)

// RunBacktest judges the rules of a question over a store. An error of the
// question wraps console.ErrInvalid.
func RunBacktest(ctx context.Context, env rule.Environment, run rule.Runner, b console.Backtest) (*BacktestAnswer, error) {
	judge := func(file, text string) (*rule.Backtest, error) {
		r, p := rule.Parse(cmp.Or(file, "rule"), []byte(text))
		if r == nil {
			return nil, fmt.Errorf("%w: %w", console.ErrInvalid, p)
		}
		out, err := rule.RunBacktest(ctx, r, env, run, b.From, b.To)
		var problem *rule.Problem
		if errors.As(err, &problem) || errors.Is(err, rule.ErrBacktest) {
			return nil, fmt.Errorf("%w: %w", console.ErrInvalid, err)
		}
		return out, err
	}
	var a BacktestAnswer
	var err error
	if b.Old != "" {
		if a.Old, err = judge(b.OldFile, b.Old); err != nil {
			return nil, err
		}
	}
	if a.Rule, err = judge(b.File, b.Rule); err != nil {
		return nil, err
	}
	n := min(cmp.Or(max(b.Examples, 0), backtestExamples), maxExamples)
	if a.Old != nil {
		d := rule.Diff(a.Old, a.Rule)
		d.Trim(n)
		a.Difference = &d
		a.Old.Trim(n)
	}
	a.Rule.Trim(n)
	return &a, nil
}

// Backtest judges rules over what a workspace holds. Its queries are a person's:
// they have that class's places and limits, and make no rule wait.
func (o operator) Backtest(ctx context.Context, tenant string, b console.Backtest, who string) (any, error) {
	w, err := o.d.find(tenant)
	if err != nil {
		return nil, err
	}
	o.d.mu.RLock()
	c, functions := o.d.config, o.d.rules.Functions
	o.d.mu.RUnlock()
	env := rule.Environment{Catalog: w.schema().Catalog(), Watchlists: w.watchlists(), Functions: functions, Addresses: o.d.places != nil}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(b.Wait, backtestWait))
	defer cancel()
	a, err := RunBacktest(ctx, env, rule.RunnerFunc(func(ctx context.Context, p *kql.Program, bind kql.Bind) (*kql.Result, error) {
		return w.store.Run(ctx, p, bind, logstore.Limits{Class: logstore.Interactive, Timeout: time.Duration(c.Query.Timeout)})
	}), b)
	outcome := "success"
	if err != nil {
		outcome = err.Error()
	}
	o.d.audit(deed{tenant: tenant, operation: "backtest", via: who, detail: strings.TrimSpace(b.Old + "\n" + b.Rule), target: strings.TrimSpace(b.OldFile + " " + b.File), result: outcome})
	var (
		late *logstore.TimeoutError
		fat  *logstore.MemoryError
	)
	switch {
	case errors.As(err, &late), errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%w: %v", console.ErrTimeout, err)
	case errors.As(err, &fat):
		return nil, fmt.Errorf("%w: %v", console.ErrBudget, err)
	case err != nil:
		return nil, err
	}
	return a, nil
}
