package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward/console"
	"glassward/notify"
)

// answersEvery is how often it is asked whether somebody has answered by another
// way.
const answersEvery = 2 * time.Second

func (a *app) proveCommand() *cobra.Command {
	var data, format string
	var receivers []string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "prove GROUP",
		Short: "Send a code by every receiver of a group, and wait until people have answered",
		Long: `Sends a test that is as loud as an alarm to each receiver of the group, with a
code of its own, and waits until a person has typed every code back: here, or in
another terminal with "glassward notify answer CODE", or by the receiver itself
where an answer comes back by it. The running daemon sends, and keeps what was
proven; a receiver that nobody has proven for 30 days is a finding. Exit code 1
if a receiver stays unproven.`,
		Example: "  glassward notify prove emergency\n  glassward notify prove emergency --receiver kim-sms",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			d, err := need(data)
			if err != nil {
				return err
			}
			return a.prove(cmd.Context(), d, list[0], receivers, wait, format)
		},
	}
	cmd.Flags().StringVar(&data, "data", "data", "data folder of the daemon")
	cmd.Flags().StringSliceVar(&receivers, "receiver", nil, "names of receivers; all of the group if none is given")
	cmd.Flags().DurationVar(&wait, "wait", 15*time.Minute, "how long to wait for answers, at most 30m")
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

func (a *app) answerCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "answer CODE",
		Short: "Type the code back that came by a receiver",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			d, err := need(data)
			if err != nil {
				return err
			}
			return a.typeBack(cmd.Context(), d, list[0])
		},
	}
	cmd.Flags().StringVar(&data, "data", "data", "data folder of the daemon")
	return cmd
}

// typeBack hands a code in.
func (a *app) typeBack(ctx context.Context, d *client, code string) error {
	var p notify.Proof
	if err := d.call(ctx, "POST", "/v1/proofs", console.Proof{Code: code}, &p); err != nil {
		return err
	}
	a.say("%s is proven", line(p.Receiver))
	return nil
}

// prove sends and waits.
func (a *app) prove(ctx context.Context, d *client, group string, receivers []string, wait time.Duration, format string) error {
	var before []notify.Proof
	if err := d.call(ctx, "GET", "/v1/proofs", nil, &before); err != nil {
		return err
	}
	var sent []notify.TestResult
	if err := d.call(ctx, "POST", "/v1/actiongroups/"+seg(group)+"/prove", console.Proof{Receivers: receivers}, &sent); err != nil {
		return err
	}
	var failed, open []string
	for _, r := range sent {
		switch {
		case !r.OK:
			failed = append(failed, r.Receiver)
			a.say("%s %s: %s", line(r.Receiver), a.paint(red, "did not take the test"), line(r.Answer))
		default:
			open = append(open, r.Receiver)
			a.say("%s has a code", line(r.Receiver))
		}
	}
	if len(open) > 0 {
		a.say("type each code as it is told to you, and Enter; an empty line ends")
		var err error
		if open, err = a.await(ctx, d, before, open, wait); err != nil {
			return err
		}
	}
	var all, mine []notify.Proof
	if err := d.call(ctx, "GET", "/v1/proofs", nil, &all); err != nil {
		return err
	}
	for _, p := range all {
		if slices.ContainsFunc(sent, func(r notify.TestResult) bool { return r.Receiver == p.Receiver }) {
			mine = append(mine, p)
		}
	}
	if err := a.printProofs(mine, format); err != nil {
		return err
	}
	if left := append(failed, open...); len(left) > 0 {
		return hint(fmt.Errorf("not proven: %s", line(strings.Join(left, ", "))), "an alarm may not reach anybody there; mend it and prove it again")
	}
	return nil
}

// await takes codes from standard input until every receiver is proven, the time
// is over, no code holds any more, or an empty line; it gives those that are left.
func (a *app) await(ctx context.Context, d *client, before []notify.Proof, open []string, wait time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	typed := make(chan string)
	go func() {
		defer close(typed)
		lines := bufio.NewScanner(a.Stdin)
		for lines.Scan() {
			select {
			case typed <- strings.TrimSpace(lines.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	tick := time.NewTicker(answersEvery)
	defer tick.Stop()
	for {
		var all []notify.Proof
		if err := d.call(ctx, "GET", "/v1/proofs", nil, &all); err != nil {
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return open, nil
			}
			return open, err
		}
		waiting := false
		open = slices.DeleteFunc(open, func(name string) bool {
			p := proofOf(all, name)
			waiting = waiting || p.Waiting
			return p.Proven.After(proofOf(before, name).Proven)
		})
		if len(open) == 0 || !waiting {
			return open, nil
		}
		select {
		case <-ctx.Done():
			return open, nil
		case <-tick.C:
		case code, more := <-typed:
			switch {
			case !more: // nobody can type here: others still can
				typed = nil
			case code == "":
				return open, nil
			default:
				if err := a.typeBack(ctx, d, code); err != nil {
					a.say("%s", safe(err.Error()))
				}
			}
		}
	}
}

func proofOf(list []notify.Proof, receiver string) notify.Proof {
	if i := slices.IndexFunc(list, func(p notify.Proof) bool { return p.Receiver == receiver }); i >= 0 {
		return list[i]
	}
	return notify.Proof{}
}

func (a *app) printProofs(list []notify.Proof, format string) error {
	if format == "json" {
		return json.NewEncoder(a.Stdout).Encode(list)
	}
	var rows [][]string
	for _, p := range list {
		when, by := "never", ""
		if !p.Proven.IsZero() {
			when, by = stamp(p.Proven), line(p.By)
			if p.Via != "" {
				by += " by " + line(p.Via)
			}
		}
		rows = append(rows, []string{line(p.Receiver), when, by, stamp(p.Due())})
	}
	return a.grid([]string{"receiver", "proven", "by", "holds until"}, rows)
}
