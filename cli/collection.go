package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"glassward/config"
)

// A collectionRow is one stream of a data collection rule.
type collectionRow struct {
	Tenant      string `json:"tenant"`
	Rule        string `json:"rule"`
	ImmutableID string `json:"immutableId"`
	Stream      string `json:"stream"`
	Output      string `json:"outputStream"`
	Table       string `json:"table"`
	Transform   string `json:"transformKql,omitempty"`
}

func (a *app) collectionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "collection", Short: "What may be pushed through the Logs Ingestion API"}
	cmd.AddCommand(a.collectionList())
	return cmd
}

func (a *app) collectionList() *cobra.Command {
	var file, format string
	var all bool
	cmd := &cobra.Command{
		Use:   "list [TENANT]",
		Short: "List data collection rules with their streams, and the endpoint",
		Long: `Lists what clients of Azure's Logs Ingestion API need: the endpoint, the immutable id
of each data collection rule and its streams. Every tenant has a built-in rule with a
stream for each of Entra's tables and each table of its own (dataCollection.tables of
the tenant's file); of the former only those of sign-ins and of the audit log are
listed, unless --all is given.

A client needs a token with the scope ingest besides: glassward token create.`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, list []string) error {
			c, _, err := a.loadConfig(file)
			if err != nil {
				return err
			}
			each := c.Each
			if len(list) == 1 {
				t, ok := c.Tenant(list[0])
				if !ok {
					return unknownTenant(list[0], c)
				}
				each = []config.Tenant{t}
			}
			rows := []collectionRow{}
			for _, t := range each {
				for _, r := range t.Collection() {
					for _, stream := range r.Streams() {
						for _, f := range r.Flows(stream) {
							if r.BuiltIn && !all && !f.Table.Custom && !strings.HasSuffix(f.Table.Name, "SigninLogs") && !strings.HasSuffix(f.Table.Name, "SignInLogs") && f.Table.Name != "AuditLogs" {
								continue
							}
							rows = append(rows, collectionRow{t.Name, r.Name, r.ImmutableID, f.Stream, f.Output, f.Table.Name, f.Transform})
						}
					}
				}
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(struct {
					Endpoint string          `json:"endpoint"`
					Streams  []collectionRow `json:"streams"`
				}{c.PublicURL, rows})
			}
			fmt.Fprintf(a.Stdout, "endpoint %s\n\n", line(c.PublicURL))
			var cells [][]string
			for _, r := range rows {
				cells = append(cells, []string{line(r.Tenant), line(r.Rule), r.ImmutableID, line(r.Stream), line(r.Table)})
			}
			return a.grid([]string{"tenant", "rule", "immutable id", "stream", "goes to"}, cells)
		},
	}
	configFlag(cmd, &file)
	outputFlag(cmd, &format, "table", "json")
	cmd.Flags().BoolVar(&all, "all", false, "list every stream of the built-in rule")
	return cmd
}
