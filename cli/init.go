package cli

import (
	"bufio"
	_ "embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"glassward/config"
)

//go:embed init.yaml.tmpl
var mainTemplate string

//go:embed init-tenant.yaml.tmpl
var tenantTemplate string

// initAnswers is what init asks for.
type initAnswers struct {
	Tenant, Name string
	Accounts     []string
	Mail         []string
	SMTP, From   string
	Folder       string
	// Host and Port are SMTP, taken apart.
	Host, Port string
}

func (a *app) initCommand() *cobra.Command {
	var x initAnswers
	var dir string
	var noInput bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write glassward.yaml and a first tenant file",
		Long: `Asks for the tenant's id, the object ids of its emergency accounts and who is
told, and writes glassward.yaml and tenants/NAME.yaml. What is given by flags is
not asked. Files that exist are never overwritten.`,
		Example: `  glassward init
  glassward init --no-input --tenant 1111… --name contoso --account 7c1f… --account 9e2b… \
    --mail oncall@example.org --smtp smtp.example.org --from glassward@example.org`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return a.runInit(dir, noInput, x) },
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", ".", "folder to write to")
	f.BoolVar(&noInput, "no-input", false, "ask nothing: take flags and defaults")
	f.StringVar(&x.Tenant, "tenant", "", "the Entra tenant's id")
	f.StringVar(&x.Name, "name", "", "what people call the tenant")
	f.StringSliceVar(&x.Accounts, "account", nil, "object id of an emergency account (repeatable)")
	f.StringSliceVar(&x.Mail, "mail", nil, "address that is told (repeatable)")
	f.StringVar(&x.SMTP, "smtp", "", "mail server, host or host:port")
	f.StringVar(&x.From, "from", "", "sender of the mails")
	f.StringVar(&x.Folder, "folder", "", "folder whose new and growing log files are taken in")
	return cmd
}

func (a *app) runInit(dir string, noInput bool, x initAnswers) error {
	if !noInput {
		in := bufio.NewScanner(a.Stdin)
		ask := func(into *string, question string) {
			if *into != "" {
				return
			}
			fmt.Fprintf(a.Stderr, "%s: ", question)
			if in.Scan() {
				*into = strings.TrimSpace(in.Text())
			}
		}
		list := func(into *[]string, question string) {
			if len(*into) > 0 {
				return
			}
			var text string
			ask(&text, question)
			*into = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
		}
		ask(&x.Tenant, "Tenant id (a GUID, on the overview page of the Entra admin centre)")
		ask(&x.Name, "A short name for the tenant")
		list(&x.Accounts, "Object ids of its emergency accounts, separated by spaces")
		list(&x.Mail, "Mail addresses that are told (outside this tenant, if you can)")
		if len(x.Mail) > 0 {
			ask(&x.SMTP, "Mail server (host or host:port)")
			ask(&x.From, "Sender of the mails")
		}
		ask(&x.Folder, "Folder where the logs arrive (empty for none)")
	}
	if x.Tenant == "" {
		return hint(usagef("a tenant's id is needed"), "glassward init --tenant GUID, or answer the question")
	}
	if x.Name == "" {
		x.Name = "tenant-1"
	}
	// Files that are never overwritten are not written with what cannot stand.
	for _, id := range append([]string{x.Tenant}, x.Accounts...) {
		if !guidForm.MatchString(id) {
			return hint(usagef("%q is no id", id), "it is a GUID: the tenant's is on the overview page of the Entra admin centre, an account's on its own page")
		}
	}
	if err := config.CheckName(x.Name); err != nil {
		return usagef("%v", err)
	}
	x.Host = x.SMTP
	if host, port, err := net.SplitHostPort(x.SMTP); err == nil {
		x.Host, x.Port = host, port
	}
	main := filepath.Join(dir, "glassward.yaml")
	tenant := filepath.Join(dir, "tenants", x.Name+".yaml")
	if err := os.MkdirAll(filepath.Dir(tenant), 0o700); err != nil {
		return err
	}
	for _, file := range []struct{ path, text string }{{main, mainTemplate}, {tenant, tenantTemplate}} {
		if err := writeNew(file.path, file.text, x); err != nil {
			return err
		}
		a.say("wrote %s", file.path)
	}
	c, problems := config.Load(main)
	if a.printProblems(problems) > 0 || c == nil {
		return hint(fmt.Errorf("what was written does not hold together yet"), "mend the lines above, then run glassward config validate")
	}
	a.say("next: glassward doctor, then glassward serve --config %s", main)
	return nil
}

func writeNew(path, text string, x initAnswers) error {
	t, err := template.New(filepath.Base(path)).Funcs(template.FuncMap{"yaml": quoteYAML}).Parse(text)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if os.IsExist(err) {
		return hint(fmt.Errorf("%s exists already", path), "edit it, or choose another folder by --dir")
	}
	if err != nil {
		return err
	}
	if err := t.Execute(f, x); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// quoteYAML writes a scalar in double quotes, in which YAML and JSON agree.
func quoteYAML(s string) string { return fmt.Sprintf("%q", s) }
