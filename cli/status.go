package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"glassward/daemon"
	"glassward/notify"
)

func (a *app) statusCommand() *cobra.Command {
	var data, format string
	var all bool
	cmd := &cobra.Command{
		Use: "status", Short: "Show how the running daemon is", Args: args(cobra.NoArgs),
		Long: `Shows each workspace with its newest records, how each road stands by which they
come, how long they take, what waits to be judged, rules that fail, and how each
receiver is. --all shows one line a tenant. Exit code 1 if something is wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := need(data)
			if err != nil {
				return err
			}
			var s daemon.Status
			if err := c.call(cmd.Context(), "GET", "/v1/status", nil, &s); err != nil {
				return err
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(s)
			}
			if all {
				return a.printBoard(s)
			}
			return a.printStatus(s)
		},
	}
	cmd.Flags().StringVar(&data, "data", "data", "data folder of the daemon")
	cmd.Flags().BoolVar(&all, "all", false, "one line a tenant")
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

func (a *app) printStatus(s daemon.Status) error {
	wrong := 0
	bad := func(format string, args ...any) string {
		wrong++
		return a.paint(red, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(a.Stdout, "glassward %s on %s since %s\n", s.Version, s.Address, stamp(s.Started))
	for _, p := range s.Problems {
		fmt.Fprintf(a.Stdout, "  %s\n", bad("%s", safe(p)))
	}
	for _, p := range s.Warnings {
		fmt.Fprintf(a.Stdout, "  %s\n", safe(p))
	}
	for _, w := range s.Workspaces {
		fmt.Fprintf(a.Stdout, "\n%s  %s, %s, %s waiting\n", a.paint(bold, line(w.Name)), line(w.Tenant), counted(w.Accounts, "emergency account", "emergency accounts"), counted(w.Waiting, "batch", "batches"))
		if w.Shut != "" {
			fmt.Fprintf(a.Stdout, "  %s\n", bad("not watched since %s: its event store cannot be opened: %s", stamp(w.Since), safe(w.Shut)))
			continue
		}
		if w.Fault != "" {
			fmt.Fprintf(a.Stdout, "  %s\n", bad("its records cannot be counted: %s", safe(w.Fault)))
		}
		if w.Paused != "" {
			fmt.Fprintf(a.Stdout, "  %s\n", bad("intake pauses: %s", line(w.Paused)))
		}
		var rows [][]string
		for _, t := range w.Tables {
			rows = append(rows, []string{"  " + t.Name, strconv.FormatInt(t.Rows, 10), stamp(t.Newest), stamp(t.Received)})
		}
		if len(rows) > 0 {
			if err := a.grid([]string{"  table", "records", "newest event", "last received"}, rows); err != nil {
				return err
			}
		} else {
			fmt.Fprintln(a.Stdout, "  no records yet")
		}
		badRoads, err := a.printRoads(w.Roads)
		if err != nil {
			return err
		}
		wrong += badRoads
		for _, h := range w.History {
			fmt.Fprintf(a.Stdout, "  %s reads what happened since %s", line(h.Road), stamp(h.Since))
			if h.Takes > 0 {
				fmt.Fprintf(a.Stdout, ": some %s at the pace that the service allows; hubs or files are faster", seconds(h.Takes))
			}
			fmt.Fprintln(a.Stdout)
		}
		for i, x := range w.Way {
			if i == 0 {
				fmt.Fprint(a.Stdout, "  a record's way, p50 / p99:")
			}
			fmt.Fprintf(a.Stdout, " %s %s / %s", x.Step, seconds(x.P50), seconds(x.P99))
			if i == len(w.Way)-1 {
				fmt.Fprintln(a.Stdout)
			}
		}
		if err := a.printLegs("  ", w.Latency); err != nil {
			return err
		}
		if w.Keep != "" {
			fmt.Fprintf(a.Stdout, "  keeps %s records\n", w.Keep)
		}
		works := 0
		for _, r := range w.Rules {
			if r.Suppressed > 0 {
				fmt.Fprintf(a.Stdout, "  rule %s: alerts of %s are suppressed since its last\n", line(r.Name), counted(int(r.Suppressed), "window", "windows"))
			}
			switch {
			case r.Error != "":
				fmt.Fprintf(a.Stdout, "  %s\n", bad("rule %s: %s", line(r.Name), line(r.Error)))
			case r.Enabled:
				works++
			}
		}
		fmt.Fprintf(a.Stdout, "  %s at work\n", counted(works, "rule", "rules"))
	}
	fmt.Fprintln(a.Stdout)
	for _, r := range s.Receivers {
		switch {
		case !r.FailingSince.IsZero():
			fmt.Fprintf(a.Stdout, "receiver %s %s\n", line(r.Receiver), bad("has taken nothing since %s", stamp(r.FailingSince)))
		default:
			fmt.Fprintf(a.Stdout, "receiver %s is well\n", line(r.Receiver))
		}
	}
	for _, p := range s.Proofs {
		if !p.Due().After(time.Now()) {
			fmt.Fprintf(a.Stdout, "receiver %s %s\n", line(p.Receiver), bad("has not been proven to reach a person since %s: glassward notify prove", stamp(p.Due().Add(-notify.ProofHolds))))
		}
	}
	if err := a.printLegs("", s.Latency); err != nil {
		return err
	}
	if h := s.Heartbeat; h != nil {
		switch {
		case h.Fault != "":
			fmt.Fprintf(a.Stdout, "heartbeat: %s\n", bad("%s", safe(h.Fault)))
		case h.Taken.IsZero():
			fmt.Fprintf(a.Stdout, "heartbeat every %s, none sent yet\n", seconds(h.Every))
		default:
			fmt.Fprintf(a.Stdout, "heartbeat every %s, the last at %s\n", seconds(h.Every), stamp(h.Taken))
		}
	}
	fmt.Fprintf(a.Stdout, "%s owed", counted(s.Owed.Pending, "notice", "notices"))
	if !s.Owed.Oldest.IsZero() {
		fmt.Fprintf(a.Stdout, ", the oldest since %s", stamp(s.Owed.Oldest))
	}
	if n := s.Owed.Collecting; n > 0 {
		fmt.Fprintf(a.Stdout, "; %s so many that they are collected for a digest", counted(n, "action group gets", "action groups get"))
	}
	fmt.Fprintln(a.Stdout)
	if n := s.Owed.Open[""]; n > 0 {
		fmt.Fprintf(a.Stdout, "%s of the installation itself: glassward incident list --tenant glassward\n", bad("%s", counted(n, "open incident", "open incidents")))
	}
	if wrong > 0 {
		return errSilent
	}
	return nil
}

// printLegs shows how long the parts of an alarm's way take.
func (a *app) printLegs(indent string, legs []daemon.LegStatus) error {
	var rows [][]string
	for _, l := range legs {
		rows = append(rows, []string{indent + l.Leg, line(l.Of), seconds(l.P50), seconds(l.P95), seconds(l.P99), seconds(l.Worst), stamp(l.WorstAt)})
	}
	if len(rows) == 0 {
		return nil
	}
	return a.grid([]string{indent + "way", "of", "p50", "p95", "p99", "worst", "at"}, rows)
}
