package cli

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"glassward/certificate"
	"glassward/config"
	"glassward/daemon"
	"glassward/internal/private"
)

//go:embed init.yaml.tmpl
var mainTemplate string

//go:embed init-tenant.yaml.tmpl
var tenantTemplate string

// initAnswers is what init and tenant add ask for, and what the templates write.
type initAnswers struct {
	Tenant, Name, Cloud string
	// EndpointsFile replaces addresses of the cloud; Endpoints are what it says.
	EndpointsFile string
	Endpoints     yaml.MapSlice
	// Roads are names of roads.
	Roads     []string
	Namespace string
	Hubs      []string
	// Connection and SMTPPassword are references to secrets.
	Connection string
	Storage    string
	Workspace  string
	Folder     string
	// NoDirectory leaves out the look at what protects the accounts.
	NoDirectory bool

	ClientID    string
	Certificate string // "file:PATH"

	// Ids are the accounts as flags give them, Accounts with what is known of them.
	Ids      []string
	Accounts []initAccount
	Domains  []string

	Mail                            []string
	SMTP, From                      string
	SMTPUser, SMTPPassword, SMTPTLS string
	// Host and Port are SMTP, taken apart.
	Host, Port string
	// AlsoFlags are other ways as flags give them, Also with what they are.
	AlsoFlags []string
	Also      []also
	Groups    []string
	// Dependent are the words by which nobody outside the tenant is told.
	Dependent string
	// TLSNames are the names of the certificate that is made; NoTLS makes none.
	TLSNames []string
	NoTLS    bool
}

// An initAccount is an emergency account that was chosen.
type initAccount struct{ ID, Name, UPN string }

// Has says whether a road was chosen.
func (x initAnswers) Has(road string) bool { return slices.Contains(x.Roads, road) }

// HasSources says whether any road was chosen that stands under sources.
func (x initAnswers) HasSources() bool {
	return slices.ContainsFunc(x.Roads, func(r string) bool { return r != "files" })
}

// Looks says whether what protects the accounts is looked at through Graph: wherever our
// application signs in, unless that was declined.
func (x initAnswers) Looks() bool { return x.needsApplication() && !x.NoDirectory }

// needsApplication says whether one of the roads signs in as our application.
func (x initAnswers) needsApplication() bool {
	return x.Has("graph") || x.Has("activity") || x.Has("workspace") || x.Has("eventhubs") && x.Connection == ""
}

func (x *initAnswers) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&x.Tenant, "tenant", "", "the Entra tenant's id")
	f.StringVar(&x.Name, "name", "", "what people call the tenant")
	f.StringVar(&x.Cloud, "cloud", "", "cloud of the tenant (public)")
	f.StringVar(&x.EndpointsFile, "endpoints", "", "YAML file with addresses that replace those of the cloud")
	f.StringSliceVar(&x.Roads, "road", nil, "road by which records come: graph, activity, eventhubs, storage, workspace or files (repeatable)")
	f.StringVar(&x.Namespace, "namespace", "", "Event Hubs namespace, NAME.servicebus.windows.net")
	f.StringSliceVar(&x.Hubs, "hub", nil, "hub of the namespace (repeatable)")
	f.StringVar(&x.Connection, "connection-string", "", "env:NAME or file:PATH of the namespace's connection string")
	f.StringVar(&x.Storage, "storage", "", "folder that holds the storage export")
	f.StringVar(&x.Workspace, "workspace", "", "id of the Log Analytics workspace")
	f.StringVar(&x.Folder, "folder", "", "folder whose new and growing log files are taken in")
	f.BoolVar(&x.NoDirectory, "no-directory", false, "do not look at the directory itself: only logs are watched, and fewer permissions are asked for")
	f.StringVar(&x.ClientID, "client-id", "", "application (client) id of the registration in the tenant")
	f.StringVar(&x.Certificate, "certificate", "", "PEM or PFX file of the application; without it one is made")
	f.StringSliceVar(&x.Ids, "account", nil, "object id of an emergency account (repeatable)")
}

func (a *app) initCommand() *cobra.Command {
	var x initAnswers
	var dir string
	var noInput, noProof bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Set up: from nothing to an alarm that has been proven",
		Long: `Asks for the tenant, the roads by which its records can come, the application
that reads them, the emergency accounts and who is told; tries every answer
against the tenant; writes glassward.yaml and tenants/NAME.yaml; makes a certificate
for the API; sends a test notice; and waits until one of the accounts has really signed in and the alarm has
arrived. What is given by flags is not asked. Files that exist are never
overwritten.`,
		Example: `  glassward init
  glassward init --no-input --tenant 1111… --name contoso --account 7c1f… --account 9e2b… \
    --mail oncall@example.org --smtp smtp.example.org --from glassward@example.org`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := &wizard{app: a, in: bufio.NewScanner(a.Stdin), x: x, dir: dir, asks: !noInput}
			return w.init(cmd.Context(), !noProof && !noInput)
		},
	}
	x.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&dir, "dir", ".", "folder to write to")
	f.BoolVar(&noInput, "no-input", false, "ask nothing: take flags and defaults")
	f.BoolVar(&noProof, "no-proof", false, "end when the files are written, without waiting for a sign-in")
	f.StringSliceVar(&x.Mail, "mail", nil, "address that is told (repeatable)")
	f.StringArrayVar(&x.AlsoFlags, "also", nil, `another way besides mail, as "pushover token=file:a user=file:b" (repeatable): pushover, sms, pagerduty, ntfy, slack or teams`)
	f.StringVar(&x.SMTP, "smtp", "", "mail server, host or host:port")
	f.StringVar(&x.From, "from", "", "sender of the mails")
	f.StringVar(&x.SMTPUser, "smtp-user", "", "user name at the mail server")
	f.StringVar(&x.SMTPPassword, "smtp-password", "", "env:NAME or file:PATH of the password at the mail server")
	f.StringSliceVar(&x.TLSNames, "tls-name", nil, "name or address under which other machines reach this one (repeatable; the host's name is one)")
	f.BoolVar(&x.NoTLS, "no-tls", false, "make no certificate: the API speaks plain HTTP, and to this machine alone")
	f.StringVar(&x.SMTPTLS, "smtp-tls", "", "how the mail server is spoken to: starttls, implicit or none")
	return cmd
}

// write writes the files, all or none, and says what of them does not hold
// together.
func (w *wizard) write(files initFiles) (*config.Config, error) {
	x := w.x
	x.Host = x.SMTP
	if host, port, err := net.SplitHostPort(x.SMTP); err == nil {
		x.Host, x.Port = host, port
	}
	list := []struct{ path, text string }{{files.tenant, tenantTemplate}}
	if files.main != "" {
		list = append(list, struct{ path, text string }{files.main, mainTemplate})
	}
	for i := range list {
		t, err := template.New(filepath.Base(list[i].path)).Funcs(template.FuncMap{"yaml": quoteYAML}).Parse(list[i].text)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		if err := t.Execute(&b, x); err != nil {
			return nil, err
		}
		list[i].text = b.String()
	}
	if err := private.MkdirAll(filepath.Dir(files.tenant)); err != nil {
		return nil, err
	}
	for i, file := range list {
		if err := writeNew(file.path, file.text); err != nil {
			// One without the other would be in the way of the next attempt.
			for _, written := range list[:i] {
				err = errors.Join(err, os.Remove(written.path))
			}
			return nil, err
		}
	}
	for _, file := range list {
		w.say("wrote %s", file.path)
	}
	c, problems := config.Load(files.load)
	if files.main == "" {
		// What is wrong with other tenants is not this one's affair.
		problems = slices.DeleteFunc(problems, func(p config.Problem) bool { return p.File != files.tenant && c != nil })
	}
	if files.main != "" && c != nil {
		if err := w.certify(c); err != nil {
			return nil, err
		}
	}
	if w.printProblems(problems) > 0 || c == nil {
		return nil, hint(fmt.Errorf("what was written does not hold together yet"), "mend the lines above, then run glassward config validate --config %s", files.load)
	}
	return c, nil
}

// certify makes the certificate that the configuration asks for, unless there is one.
func (w *wizard) certify(c *config.Config) error {
	dir := daemon.CertificateFolder(c.Data)
	if c.TLS == nil || !c.TLS.Made || certificate.There(dir) {
		return nil
	}
	if err := private.MkdirAll(c.Data); err != nil {
		return err
	}
	if err := certificate.Make(dir, c.TLS.Names, time.Now()); err != nil {
		return hint(fmt.Errorf("make a certificate: %w", err), "%s is written; serve makes the certificate when it starts", c.File)
	}
	w.say("made a certificate for %s; glassward certificate export --config %s prints what clients are to trust", strings.Join(append([]string{"localhost"}, c.TLS.Names...), ", "), c.File)
	return nil
}

// tlsNames are the names for the certificate: those that were given, and the host's.
func (x *initAnswers) tlsNames() error {
	if x.NoTLS {
		if len(x.TLSNames) > 0 {
			return usagef("--tls-name is for the certificate that --no-tls leaves out")
		}
		return nil
	}
	for _, name := range x.TLSNames {
		if err := certificate.CheckName(name); err != nil {
			return usagef("--tls-name: %v", err)
		}
	}
	host, err := os.Hostname()
	if err == nil && certificate.CheckName(host) == nil && host != "localhost" && !slices.Contains(x.TLSNames, host) {
		x.TLSNames = append(x.TLSNames, host)
	}
	return nil
}

// initFiles are the files that are written; main is empty where it stands
// already. load is what to read afterwards.
type initFiles struct{ main, tenant, load string }

func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if os.IsExist(err) {
		return exists(path)
	}
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	return f.Close()
}

func exists(path string) error {
	return hint(fmt.Errorf("%s exists already", path), "edit it, or choose another folder by --dir")
}

// quoteYAML writes a scalar in double quotes, in which YAML and JSON agree.
func quoteYAML(s any) string { return fmt.Sprintf("%q", fmt.Sprint(s)) }
