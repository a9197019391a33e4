package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"glassward"
	"glassward/console"
	"glassward/incident"
)

// Expectations gives what is and was expected of a tenant's accounts, the latest
// first.
func (c cases) Expectations(ctx context.Context, tenant string) ([]glassward.Expectation, error) {
	return c.d.state.Expectations(ctx, book(tenant), 100)
}

// Declare declares an expectation; the tenant's action groups are told of it.
func (c cases) Declare(ctx context.Context, tenant string, e glassward.Expectation) (glassward.Expectation, error) {
	made, err := c.d.desk.Declare(ctx, book(tenant), e)
	return made, c.expected(tenant, "declare expected events", made.ID, e.By, e.Via, made, err)
}

// Withdraw ends an expectation before its time; the tenant's action groups are
// told of it.
func (c cases) Withdraw(ctx context.Context, tenant, id string, x console.Withdrawal, via string) (glassward.Expectation, error) {
	ended, err := c.d.desk.Withdraw(ctx, book(tenant), incident.Withdraw{ID: id, By: x.By, Via: via, Reason: x.Reason})
	return ended, c.expected(tenant, "withdraw expected events", id, x.By, via, ended, err)
}

// expected has told and writes down what became of an expectation.
func (c cases) expected(tenant, operation, id, by, via string, e glassward.Expectation, err error) error {
	result := "success"
	switch {
	case errors.Is(err, incident.ErrNotFound):
		return fmt.Errorf("expectation %q %w", id, console.ErrNoSuch)
	case errors.Is(err, incident.ErrInvalid):
		result, err = "refused", fmt.Errorf("%w: %v", console.ErrInvalid, err)
	case err != nil:
		return err
	default:
		c.d.courier.Wake()
	}
	var what []string
	for _, o := range e.Operations {
		what = append(what, fmt.Sprintf("%s x%d", o.Name, o.Times))
	}
	c.d.audit(deed{tenant: book(tenant), operation: operation, actor: by, via: via, target: strings.TrimSpace(e.AccountName + " " + id),
		detail: strings.Join(append(what, e.Places...), ", "), result: result})
	return err
}

// dueEvery is how often expectations are looked at whose time is over.
const dueEvery = time.Minute

// judgeExpected judges expectations at their end.
func (d *Daemon) judgeExpected(ctx context.Context) {
	every := time.NewTicker(dueEvery)
	defer every.Stop()
	for {
		list, err := d.state.OpenExpectations(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.Error("what is expected could not be read; the next round tries again", "error", err)
		}
		for _, e := range list {
			if !d.policy(e.Tenant).IsDue(e, d.now()) {
				continue
			}
			if err := d.desk.Due(ctx, e.Tenant, e); err != nil && ctx.Err() == nil {
				d.log.Error("what was expected could not be judged; the next round tries again", "tenant", e.Tenant, "expectation", e.ID, "error", err)
				continue
			}
			d.courier.Wake()
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}
