package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward"
	"glassward/access/whatif"
	"glassward/config"
	"glassward/daemon"
	"glassward/directory"
	"glassward/directory/azure"
	"glassward/directory/graph"
)

type snapshot struct {
	config, tenant, out, format string
	accounts, subscriptions     []string
	azureToken                  string
	resume, noAzure, whatIf     bool
}

func (a *app) snapshotCommand() *cobra.Command {
	var s snapshot
	cmd := &cobra.Command{
		Use:   "snapshot --out FILE.zip",
		Short: "Read a tenant's directory and what watches it, for assess, reach and whatif",
		Long: `Reads what decides whether an account gets in: accounts, groups and their members, roles,
units, Conditional Access, authentication methods and strengths, applications. From Azure
Resource Manager come the alert rules, action groups and workspaces of the subscriptions
that are shown. Signs in as the application of the tenant's file and changes nothing;
glassward permissions --snapshot prints what it needs.

Azure shows the diagnostic settings of Entra to people only: --azure-token refers to the
token of one, as env:NAME or file:PATH. This command prints such a token:

  az account get-access-token --resource https://management.azure.com --query accessToken -o tsv

A part that cannot be read is told with the permission that it needs; what depends on it is
unknown later, never passed. Registered methods are read of the emergency accounts, of those
of --account, and of everybody who holds a role or may activate one.

With --whatif Microsoft's own What If evaluation is asked about usual sign-ins of the
emergency accounts, six of each, and what it answers is kept: assess holds it against its
own verdicts (CA-28).

A run that was ended leaves FILE.zip.partial; --resume goes on there. An --out that does not
end in .zip is a folder.`,
		Example: `  glassward snapshot --out contoso.zip
  glassward snapshot --out contoso.zip --azure-token file:token.txt
  glassward reach contoso.zip`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.snapshot(cmd.Context(), &s) },
	}
	configFlag(cmd, &s.config)
	f := cmd.Flags()
	f.StringVar(&s.tenant, "tenant", "", "which tenant of the configuration; needed where there are several")
	f.StringVar(&s.out, "out", "", "file or folder that is written")
	f.StringArrayVar(&s.accounts, "account", nil, "object id or user principal name of an account whose methods are read too (repeatable)")
	f.StringArrayVar(&s.subscriptions, "subscription", nil, "id of the only subscription of Azure that is read (repeatable)")
	f.StringVar(&s.azureToken, "azure-token", "", "reference to the token of a person who reads Azure, env:NAME or file:PATH")
	f.BoolVar(&s.noAzure, "no-azure", false, "read nothing from Azure")
	f.BoolVar(&s.whatIf, "whatif", false, "ask Microsoft's What If evaluation about sign-ins of the emergency accounts, and keep its answers")
	f.BoolVar(&s.resume, "resume", false, "go on where a run was ended: what is there whole is not read again")
	outputFlag(cmd, &s.format, "table", "json")
	return cmd
}

func (a *app) snapshot(ctx context.Context, s *snapshot) error {
	if s.out == "" {
		return hint(usagef("it is not said where the snapshot goes"), "--out contoso.zip")
	}
	c, _, err := a.loadConfig(s.config)
	if err != nil {
		return err
	}
	t, err := oneTenant(c, s.tenant)
	if err != nil {
		return err
	}
	dir, packed := s.out, strings.HasSuffix(strings.ToLower(s.out), ".zip")
	if packed {
		dir += ".partial"
		if _, err := os.Stat(s.out); err == nil {
			return usagef("%s is there already: name another file", s.out)
		}
	}
	if _, err := os.Stat(dir); err == nil && !s.resume {
		return hint(usagef("%s is there already", dir), "--resume goes on there; or remove it")
	}
	client, err := daemon.Graph(t)
	if err != nil {
		return err
	}
	application, person, err := daemon.ResourceManager(t, glassward.Secret(s.azureToken))
	if err != nil {
		return err
	}
	if s.azureToken != "" {
		if _, err := glassward.Secret(s.azureToken).Reveal(); err != nil {
			return usagef("--azure-token: %w", err)
		}
	}
	for _, id := range s.subscriptions {
		if !glassward.IsGUID(id) {
			return usagef("--subscription %q: a subscription is named by its id, a GUID", id)
		}
	}
	accounts, principals := s.accounts, []string(nil)
	for _, e := range t.EmergencyAccounts {
		switch e.Kind {
		case "", "user":
			accounts = append(accounts, e.ObjectID)
		case "servicePrincipal":
			principals = append(principals, e.ObjectID)
		}
	}
	var questions []graph.Question
	if s.whatIf {
		if questions, err = sampleQuestions(t); err != nil {
			return err
		}
	}
	bar := &partMeter{a: a, visible: !a.quiet && terminal(a.Stderr)}
	m, err := graph.Read(ctx, graph.Options{Graph: client, Tenant: t.ID, Dir: dir, Resume: s.resume, Accounts: accounts, Principals: principals, Questions: questions, Progress: bar.show})
	if err == nil && !s.noAzure {
		m, err = azure.Read(ctx, azure.Options{Application: application, Person: person, Dir: dir, Resume: s.resume, Subscriptions: s.subscriptions, Progress: bar.show})
	}
	bar.done()
	if err != nil {
		return hint(fmt.Errorf("snapshot of %s: %w", t.Name, err), "what was read stays in %s; --resume goes on there", dir)
	}
	if packed {
		if err := graph.Pack(dir, s.out); err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return a.printSnapshot(s, m)
}

// sampleQuestions are what Graph is asked about the sample sign-ins of the emergency
// accounts, which are declared by their object ids: no snapshot is needed to ask.
func sampleQuestions(t config.Tenant) ([]graph.Question, error) {
	var list []graph.Question
	empty := directory.New(directory.Contents{})
	for _, e := range t.EmergencyAccounts {
		if e.Kind != "" && e.Kind != "user" {
			continue
		}
		for _, x := range whatif.Samples(strings.ToLower(e.ObjectID)) {
			q, err := whatif.Ask(empty, x.SignIn)
			if err != nil {
				return nil, err
			}
			list = append(list, graph.Question{ID: x.SignIn.User + "/" + x.Name, Body: q.Body})
		}
	}
	if len(list) == 0 {
		return nil, hint(fmt.Errorf("tenant %s declares no emergency account", t.Name), "--whatif asks about those of emergencyAccounts")
	}
	return list, nil
}

// oneTenant gives the tenant that is meant.
func oneTenant(c *config.Config, name string) (config.Tenant, error) {
	if name != "" {
		if t, ok := c.Tenant(name); ok {
			return t, nil
		}
		return config.Tenant{}, unknownTenant(name, c)
	}
	switch len(c.Each) {
	case 0:
		return config.Tenant{}, hint(errors.New("the configuration has no tenant"), "glassward tenant add describes one")
	case 1:
		return c.Each[0], nil
	}
	return config.Tenant{}, usagef("there are %d tenants: say --tenant NAME", len(c.Each))
}

// printSnapshot tells what became of each part that was asked for.
func (a *app) printSnapshot(s *snapshot, m *directory.Manifest) error {
	if s.format == "json" {
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(m)
	}
	var rows [][]string
	missing := 0
	for _, p := range m.Parts {
		state := directory.Read
		switch {
		case p.Request == "":
			continue
		case p.Read == nil:
			state = directory.Unread
		case p.Incomplete:
			state = directory.Incomplete
		}
		if state != directory.Read {
			missing++
		}
		rows = append(rows, []string{string(p.Part), string(state), line(p.Permission), line(p.Reason)})
	}
	if err := a.grid([]string{"part", "state", "needs", "why"}, rows); err != nil {
		return err
	}
	if missing > 0 {
		a.say("%s not whole: what depends on them is unknown", counted(missing, "part is", "parts are"))
	}
	a.say("written: %s; now: glassward assess %s, glassward reach %s", s.out, s.out, s.out)
	return nil
}

// A partMeter shows which part is read and how far, on a terminal.
type partMeter struct {
	a       *app
	visible bool
	shown   time.Time
}

func (m *partMeter) show(p directory.Part, n, of int) {
	now := time.Now()
	if !m.visible || now.Sub(m.shown) < 200*time.Millisecond {
		return
	}
	m.shown = now
	if of > 0 {
		fmt.Fprintf(m.a.Stderr, "\r\x1b[K%s  %d of %d", p, n, of)
	} else {
		fmt.Fprintf(m.a.Stderr, "\r\x1b[K%s  %d", p, n)
	}
}

func (m *partMeter) done() {
	if !m.shown.IsZero() {
		fmt.Fprint(m.a.Stderr, "\r\x1b[K")
	}
}
