package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"glassward/daemon"
	"glassward/lag"
)

// seconds writes a time that a record took as people say it.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// wrong says whether a state is one that somebody has to look at.
func wrong(s lag.State) bool { return s == lag.Cut || s == lag.Silent || s == lag.Late }

// printRoads shows how each road stands. It gives how many stand badly.
func (a *app) printRoads(roads []daemon.RoadStatus) (bad int, err error) {
	if len(roads) == 0 {
		return 0, nil
	}
	var rows [][]string
	for _, r := range roads {
		state := string(r.State)
		if wrong(r.State) {
			bad++
			state = a.paint(red, state)
		}
		lagged := seconds(r.P50) + " / " + seconds(r.P99)
		if !r.Learned {
			lagged = "(" + lagged + ")"
		}
		rows = append(rows, []string{"  " + line(r.Road), r.Table, state, stamp(r.Since), stamp(r.Newest), lagged, strconv.FormatInt(r.Late, 10)})
	}
	if err := a.grid([]string{"  road", "table", "state", "since", "newest event", "lag p50 / p99", "late"}, rows); err != nil {
		return bad, err
	}
	said := map[string]bool{}
	for _, r := range roads {
		text := r.Why
		if r.Fault != "" {
			text = r.Fault
		}
		if key := r.Road + text; wrong(r.State) && text != "" && !said[key] {
			said[key] = true
			fmt.Fprintf(a.Stdout, "  %s\n", a.paint(red, fmt.Sprintf("%s: %s", line(r.Road), safe(text))))
		}
		if r.Missing > 0 {
			fmt.Fprintf(a.Stdout, "  %s lacks %.1f %% of the %s that another road showed\n", line(r.Road), 100*r.Missing, r.Table)
		}
	}
	return bad, nil
}

// printBoard shows every tenant on one line: what a provider looks at in the
// morning.
func (a *app) printBoard(s daemon.Status) error {
	var rows [][]string
	well := 0
	for _, w := range s.Workspaces {
		var notes []string
		state := "well"
		worst := func(text string) { state = a.paint(red, text) }
		var newest time.Time
		warming := 0
		roads := map[string][]daemon.RoadStatus{}
		for _, r := range w.Roads {
			roads[r.Road] = append(roads[r.Road], r)
			if r.State == lag.Warming {
				warming++
			}
		}
		for _, t := range w.Tables {
			if t.Received.After(newest) && !strings.HasPrefix(t.Name, "Glassward") {
				newest = t.Received
			}
		}
		names := make([]string, 0, len(roads))
		for name := range roads {
			names = append(names, name)
		}
		slices.Sort(names)
		// The worst of all roads is the tenant's state; each road says its worst.
		for _, bad := range []lag.State{lag.Late, lag.Silent, lag.Cut} {
			if slices.ContainsFunc(w.Roads, func(r daemon.RoadStatus) bool { return r.State == bad }) {
				worst(string(bad))
			}
		}
		for _, name := range names {
			for _, bad := range []lag.State{lag.Cut, lag.Silent, lag.Late} {
				i := slices.IndexFunc(roads[name], func(r daemon.RoadStatus) bool { return r.State == bad })
				if i < 0 {
					continue
				}
				notes = append(notes, fmt.Sprintf("%s %s since %s", line(name), bad, stamp(roads[name][i].Since)))
				break
			}
		}
		if len(notes) == 0 && len(w.Roads) > 0 && warming == len(w.Roads) {
			state = "warming"
		}
		if w.Accounts == 0 {
			worst("unwatched")
			notes = append(notes, "no emergency account is declared")
		}
		if w.Fault != "" {
			worst("unwell")
			notes = append(notes, line(w.Fault))
		}
		if w.Shut != "" {
			worst("not watched")
			notes = append(notes, "its event store cannot be opened: "+line(w.Shut))
		}
		if w.Paused != "" {
			worst("paused")
			notes = append(notes, "intake pauses: "+line(w.Paused))
		}
		failing := 0
		for _, r := range w.Rules {
			if r.Error != "" {
				failing++
			}
		}
		if failing > 0 {
			worst("rules fail")
			notes = append(notes, counted(failing, "rule fails", "rules fail"))
		}
		open := s.Owed.Open[w.Tenant]
		if state == "well" || state == "warming" {
			well++
		}
		rows = append(rows, []string{line(w.Name), state, strconv.Itoa(w.Accounts), strconv.Itoa(open), strconv.Itoa(len(names)), stamp(newest), strings.Join(notes, "; ")})
	}
	if err := a.grid([]string{"tenant", "state", "accounts", "open incidents", "roads", "last received", "what is wrong"}, rows); err != nil {
		return err
	}
	fmt.Fprintf(a.Stdout, "%s, %d well\n", counted(len(s.Workspaces), "tenant", "tenants"), well)
	for _, p := range s.Problems {
		fmt.Fprintln(a.Stdout, a.paint(red, safe(p)))
	}
	if well < len(s.Workspaces) || len(s.Problems) > 0 {
		return errSilent
	}
	return nil
}
