package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"glassward/config"
	"glassward/console"
)

// A tokenRow is what the daemon tells of a token; never the token itself.
type tokenRow struct {
	Name     string    `json:"name"`
	Tenant   string    `json:"tenant"`
	Source   string    `json:"source"`
	Scopes   []string  `json:"scopes"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	Revoked  time.Time `json:"revoked"`
	LastUsed time.Time `json:"lastUsed"`
}

func (a *app) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Create, list and revoke tokens of the API"}
	var data string
	cmd.PersistentFlags().StringVar(&data, "data", "data", "data folder of the daemon")

	var t console.NewToken
	var scopes []string
	var life string
	var everyTenant bool
	create := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a token; it is printed once and kept only as a hash",
		Example: `  glassward token create eventhub-forwarder --tenant contoso --scope ingest --expires 365d
  glassward token create grafana --all-tenants --scope query`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if (t.Tenant == "") != everyTenant {
				return usagef("say for whom: --tenant NAME, or --all-tenants for every one")
			}
			t.Name = list[0]
			for _, s := range scopes {
				t.Scopes = append(t.Scopes, console.Scope(s))
			}
			d, err := config.ParseDuration(life)
			if err != nil {
				return usagef("--expires: %v", err)
			}
			t.Expires = time.Now().Add(d).UTC().Truncate(time.Second)
			c, err := need(data)
			if err != nil {
				return err
			}
			var made struct{ Name, Token string }
			if err := c.call(cmd.Context(), "POST", "/v1/tokens", t, &made); err != nil {
				return err
			}
			a.say("token %s holds until %s; it is shown this once:", made.Name, stamp(t.Expires))
			_, err = fmt.Fprintln(a.Stdout, made.Token)
			return err
		},
	}
	f := create.Flags()
	f.StringVar(&t.Tenant, "tenant", "", "the tenant that it is bound to, by id or name")
	f.BoolVar(&everyTenant, "all-tenants", false, "not bound to a tenant")
	f.StringSliceVar(&scopes, "scope", nil, "ingest, query, acknowledge or operate (repeatable)")
	f.StringVar(&t.Source, "source", "", "name of the road of what is pushed with it; the token's name if empty")
	f.StringVar(&life, "expires", "90d", "how long it holds")

	var format string
	list := &cobra.Command{
		Use: "list", Short: "List tokens", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := need(data)
			if err != nil {
				return err
			}
			var tokens []tokenRow
			if err := c.call(cmd.Context(), "GET", "/v1/tokens", nil, &tokens); err != nil {
				return err
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(tokens)
			}
			var rows [][]string
			for _, t := range tokens {
				state := "holds"
				switch {
				case !t.Revoked.IsZero():
					state = "revoked"
				case !t.Expires.IsZero() && time.Now().After(t.Expires):
					state = "expired"
				}
				tenant := t.Tenant
				if tenant == "" {
					tenant = "every"
				}
				rows = append(rows, []string{line(t.Name), line(tenant), line(fmt.Sprint(t.Scopes)), state, stamp(t.Expires), stamp(t.LastUsed)})
			}
			return a.grid([]string{"name", "tenant", "scopes", "state", "expires", "last used"}, rows)
		},
	}
	outputFlag(list, &format, "table", "json")

	revoke := &cobra.Command{
		Use: "revoke NAME", Short: "Revoke a token at once", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			c, err := need(data)
			if err != nil {
				return err
			}
			if err := c.call(cmd.Context(), "DELETE", "/v1/tokens/"+seg(list[0]), nil, nil); err != nil {
				return err
			}
			a.say("token %s is revoked", list[0])
			return nil
		},
	}
	cmd.AddCommand(create, list, revoke)
	return cmd
}
