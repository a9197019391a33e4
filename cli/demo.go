package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward"
	"glassward/config"
	"glassward/console"
	"glassward/daemon"
	"glassward/internal/entrasim"
	"glassward/internal/mailsink"
)

func (a *app) demoCommand() *cobra.Command {
	var keep, verbose bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Replay a day in which a break-glass account is used, and show what comes of it",
		Long: `Starts everything for real in a temporary folder: the daemon, its stores, and a
mail server that keeps what it is sent. Then a day of a made-up tenant's logs is
pushed over HTTP. In its last half hour a break-glass account signs in, switches
a Conditional Access policy off, and gets a new security method. The incident,
its timeline and the mails are printed as they arrived.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), keep, verbose) },
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the temporary folder")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "show the daemon's log")
	return cmd
}

// demoWithin bounds the whole demo.
const demoWithin = time.Minute

func (a *app) demo(ctx context.Context, keep, verbose bool) (err error) {
	ctx, cancel := context.WithTimeout(ctx, demoWithin)
	defer cancel()
	dir, err := os.MkdirTemp("", "glassward-demo-")
	if err != nil {
		return err
	}
	if keep {
		a.say("everything is kept in %s", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	sink, err := mailsink.Listen("127.0.0.1:0", mailsink.Options{})
	if err != nil {
		return err
	}
	defer sink.Close()
	file, err := writeDemoConfig(dir, sink.Addr())
	if err != nil {
		return err
	}
	c, problems := config.Load(file)
	if a.printProblems(problems) > 0 || c == nil {
		return errors.New("the demo's own configuration does not hold; this is a defect of ours")
	}
	log := slog.New(slog.DiscardHandler)
	if verbose {
		log = slog.New(slog.NewTextHandler(a.Stderr, nil))
	}
	d, err := daemon.New(ctx, daemon.Options{Config: c, Version: version, Log: log})
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(run) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()

	at := place{c.Data, "default"}
	control, err := need(at.data)
	if err != nil {
		return err
	}
	day := entrasim.New(2026).Day(time.Now())
	a.say("%s of tenant %s are pushed to http://%s/v1/ingest", counted(len(day), "record", "records"), entrasim.TenantName, d.Addr())
	began := time.Now()
	if err := pushDay(ctx, control, d.Addr(), day); err != nil {
		return err
	}
	found, err := awaitTold(ctx, control, at)
	if err != nil {
		return err
	}
	a.say("judged and told within %s\n", time.Since(began).Round(time.Millisecond))

	a.printCase(found)
	for i, m := range sink.Mails() {
		fmt.Fprintf(a.Stdout, "\n%s\n\n", a.paint(bold, fmt.Sprintf("Mail %d as received", i+1)))
		printMail(a, m)
	}
	return nil
}

func writeDemoConfig(dir, smtp string) (string, error) {
	host, port, err := net.SplitHostPort(smtp)
	if err != nil {
		return "", err
	}
	files := map[string]string{
		"glassward.yaml": fmt.Sprintf(`data: data
listen: 127.0.0.1:0
mailServers:
  - {name: sink, host: %s, port: %s, tls: none, from: Glassward <glassward@example.org>}
actionGroups:
  - name: emergency
    groupShortName: emergency
    subject: "[CRITICAL] Emergency Access Activity"
    emailReceivers:
      - {name: oncall, emailAddress: oncall@example.org}
`, host, port),
		"tenants/" + entrasim.TenantName + ".yaml": fmt.Sprintf(`tenant: %s
name: %s
emergencyAccounts:
  - {objectId: %s, name: EA-01}
  - {objectId: %s, name: EA-02}
actionGroups: [emergency]
`, entrasim.TenantID, entrasim.TenantName, entrasim.EA01, entrasim.EA02),
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "glassward.yaml"), nil
}

// pushDay pushes the records in bodies of a hundred, with a token that may do
// nothing else.
func pushDay(ctx context.Context, control *client, address string, day [][]byte) error {
	var made struct{ Token string }
	token := console.NewToken{Name: "demo-push", Tenant: entrasim.TenantID, Scopes: []console.Scope{console.Ingest}, Expires: time.Now().Add(time.Hour)}
	if err := control.call(ctx, "POST", "/v1/tokens", token, &made); err != nil {
		return err
	}
	for len(day) > 0 {
		n := min(100, len(day))
		body := bytes.Join(day[:n], []byte("\n"))
		day = day[n:]
		req, err := http.NewRequestWithContext(ctx, "POST", "http://"+address+"/v1/ingest", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+made.Token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("push: %s", res.Status)
		}
	}
	return nil
}

// awaitTold waits until everything is judged and every notice of the incident
// was taken.
func awaitTold(ctx context.Context, control *client, at place) (console.Case, error) {
	var found console.Case
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for quiet := 0; quiet < 10; {
		select {
		case <-ctx.Done():
			return found, errors.New("the demo did not end within a minute")
		case <-tick.C:
		}
		var status daemon.Status
		if err := control.call(ctx, "GET", "/v1/status", nil, &status); err != nil {
			return found, err
		}
		var list struct{ Value []glassward.Incident }
		if err := control.call(ctx, "GET", at.path("/incidents"), nil, &list); err != nil {
			return found, err
		}
		if len(list.Value) == 0 || status.Owed.Pending > 0 || status.Owed.Unrouted > 0 || status.Workspaces[0].Waiting > 0 {
			quiet = 0
			continue
		}
		quiet++
	}
	return found, control.call(ctx, "GET", at.path("/incidents/1"), nil, &found)
}

// printMail writes a mail's headers and its text part.
func printMail(a *app, m mailsink.Mail) {
	for _, h := range []string{"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"} {
		if v := m.Header(h); v != "" {
			fmt.Fprintf(a.Stdout, "%s: %s\n", h, line(v))
		}
	}
	fmt.Fprintln(a.Stdout)
	for l := range strings.Lines(m.Part("text/plain")) {
		fmt.Fprintln(a.Stdout, line(strings.TrimRight(l, "\r\n")))
	}
}
