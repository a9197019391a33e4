package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"glassward/notify"
)

func (a *app) notifyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "notify", Short: "Try the ways by which people are told"}
	var file, data, format string
	test := &cobra.Command{
		Use:   "test GROUP",
		Short: "Send a test notice to every receiver of an action group",
		Long: `Sends one test notice to each receiver of the group, all at once, and prints
what each of them answered. Where a daemon runs over the data folder, it sends,
so that what is tried is what would carry an alarm; else this command does.
Exit code 1 if any receiver did not take it.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			var results []notify.TestResult
			c, _, err := a.loadConfig(file)
			if data == "" {
				if err != nil {
					return err
				}
				data = c.Data
			}
			d, err := dial(data)
			switch {
			case err == nil:
				if err := d.call(cmd.Context(), "POST", "/v1/actiongroups/"+seg(list[0])+"/test", nil, &results); err != nil {
					return err
				}
			case errors.Is(err, errNoDaemon) && c != nil:
				fleet, err := notify.NewFleet(c.Config, notify.Network{})
				if err != nil {
					a.say("%v", err)
				}
				if results, err = fleet.Test(cmd.Context(), list[0]); err != nil {
					return err
				}
			default:
				return err
			}
			if format == "json" {
				if err := json.NewEncoder(a.Stdout).Encode(results); err != nil {
					return err
				}
			} else {
				var rows [][]string
				for _, r := range results {
					verdict := "took it"
					if !r.OK {
						verdict = "FAILED"
					}
					rows = append(rows, []string{line(r.Receiver), r.Kind, verdict, r.Took.Round(time.Millisecond).String(), line(r.Answer)})
				}
				if err := a.grid([]string{"receiver", "kind", "", "after", "answer"}, rows); err != nil {
					return err
				}
			}
			for _, r := range results {
				if !r.OK {
					return hint(fmt.Errorf("%s did not take the test notice: %s", r.Receiver, r.Answer), "an alarm would not have reached it; mend it and try again")
				}
			}
			return nil
		},
	}
	configFlag(test, &file)
	test.Flags().StringVar(&data, "data", "", "data folder of the daemon; the configuration's if not given")
	outputFlag(test, &format, "table", "json")
	cmd.AddCommand(test, a.proveCommand(), a.answerCommand())
	return cmd
}
