package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward/certificate"
	"glassward/config"
	"glassward/daemon"
	"glassward/internal/private"
	"glassward/logstore"
	"glassward/notify"
	"glassward/state"
)

// doctor's findings: what was looked at, how it is, and what to do.
type diagnosis struct{ what, state, cure string }

func (a *app) doctorCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look whether this machine and configuration are fit to watch",
		Long: `Looks at the configuration, the data folder, the disk, the mail servers, the
followed folders and the receivers, without sending anything (glassward notify
test sends). Exit code 1 if something would keep an alarm from arriving.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, problems := config.Load(file)
			broken := a.printProblems(problems)
			if c == nil {
				return hint(fmt.Errorf("%s cannot be used", file), "glassward init writes one")
			}
			list := append(examine(cmd.Context(), c), receivers(cmd.Context(), c)...)
			list = append(list, ways(c)...)
			list = append(list, proofs(cmd.Context(), c)...)
			rows := make([][]string, len(list))
			for i, d := range list {
				rows[i] = []string{line(d.what), line(d.state), line(d.cure)}
				if d.cure != "" {
					broken++
				}
			}
			if err := a.grid([]string{"looked at", "found", "to do"}, rows); err != nil {
				return err
			}
			if broken > 0 {
				return fmt.Errorf("%s to mend", counted(broken, "thing", "things"))
			}
			a.say("fit to watch; now prove it: glassward notify test GROUP")
			return nil
		},
	}
	configFlag(cmd, &file)
	return cmd
}

func examine(ctx context.Context, c *config.Config) []diagnosis {
	var list []diagnosis
	add := func(what, state, cure string) { list = append(list, diagnosis{what, state, cure}) }

	at := c.Data
	for {
		if _, err := os.Stat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		at = filepath.Dir(at)
	}
	switch err := private.Check(c.Data); {
	case errors.Is(err, os.ErrNotExist):
		add("data folder "+c.Data, "will be made", "")
	case errors.Is(err, private.ErrExposed):
		state, cure, _ := strings.Cut(err.Error(), ": ")
		add("data folder "+c.Data, state, cure)
	case err != nil:
		add("data folder "+c.Data, err.Error(), "make it readable for this user")
	default:
		add("data folder "+c.Data, "its owner's alone", "")
	}
	if err := state.Fits(ctx, c.Data); err != nil {
		said, cure, known := strings.Cut(err.Error(), ": run ")
		if known {
			cure = "run " + cure
		}
		add("control store", said, cmp.Or(cure, "look at the file "+filepath.Join(c.Data, "state.db")))
	}
	if left, _, err := logstore.DiskSpace(at); err == nil {
		free := config.Bytes(left)
		cure := ""
		if free < 2*c.Disk.Reserve {
			cure = "free some space: intake pauses at the reserve"
		}
		add("disk", fmt.Sprintf("%.1f GiB free, reserve %.1f GiB", float64(free)/(1<<30), float64(c.Disk.Reserve)/(1<<30)), cure)
	}
	if len(c.Each) == 0 {
		add("tenants", "none", "describe one in "+c.Tenants)
	}
	for _, t := range c.Each {
		state, cure := counted(len(t.EmergencyAccounts), "emergency account", "emergency accounts"), ""
		if len(t.EmergencyAccounts) == 0 {
			cure = "list emergencyAccounts by objectId"
		}
		add("tenant "+t.Name, state, cure)
		if len(t.ActionGroups) == 0 {
			add("tenant "+t.Name, "nobody is told", "name actionGroups")
		}
		for _, f := range t.Folders {
			entries, err := os.ReadDir(f.Path)
			if err != nil {
				add("folder "+f.Path, err.Error(), "make the folder, readable for this user")
				continue
			}
			add("folder "+f.Path, counted(len(entries), "entry", "entries"), "")
		}
	}
	if x := c.AcrossTenants; x.Compare {
		state := fmt.Sprintf("what meets %d tenants is compared by keyed hashes; %s shared", len(c.Each), counted(len(x.Shared), "thing is", "things are"))
		if len(x.Shared) == 0 {
			state += ": your own addresses belong into acrossTenants.shared, or drills of two customers in one hour are an alarm"
		}
		add("across tenants", state, "")
	}
	if c.TLS != nil {
		switch sheet, err := daemon.CheckTLS(c); {
		case err != nil:
			add("tls", err.Error(), "serve would refuse it: mend the files")
		case sheet == nil:
			add("tls", "will be made", "")
		case sheet.State(time.Now()) != certificate.Good:
			cure := "renew it: links in notices and clients stop to work"
			if sheet.Made {
				cure = "start the daemon, which renews it, or run glassward certificate renew"
			}
			add("tls "+sheet.File, "ends "+stamp(sheet.Ends), cure)
		default:
			add("tls "+sheet.File, "holds until "+stamp(sheet.Ends)+" for "+strings.Join(sheet.Names, ", "), "")
		}
	}
	return list
}

// ways says by what people can answer here. That one does not work is nothing to
// mend as long as another does.
func ways(c *config.Config) []diagnosis {
	page := diagnosis{"answer by the page of a link", "works where " + c.PublicURL + " can be reached", ""}
	if u, err := url.Parse(c.PublicURL); err == nil && config.Loopback(net.JoinHostPort(u.Hostname(), "443")) {
		page.state = "works on this machine alone: " + c.PublicURL + " is not reached from elsewhere; publicUrl, listen and tls change that"
	}
	list := []diagnosis{{"answer by glassward incident acknowledge", "works on this machine", ""}, page}
	for _, w := range c.Config.Ways() {
		list = append(list, diagnosis{"answer by " + w.Receiver, w.How, ""})
	}
	return list
}

// proofs says which receivers nobody has proven for too long. Only a running
// daemon knows.
func proofs(ctx context.Context, c *config.Config) []diagnosis {
	d, err := dial(c.Data)
	var known []notify.Proof
	if err == nil {
		err = d.call(ctx, "GET", "/v1/proofs", nil, &known)
	}
	if err != nil {
		return []diagnosis{{"proofs", "not known: " + err.Error(), ""}}
	}
	var list []diagnosis
	for _, p := range known {
		switch now := time.Now(); {
		case !p.Due().After(now):
			list = append(list, diagnosis{"receiver " + p.Receiver, "nobody has proven for 30 days that it reaches a person", "glassward notify prove " + strings.Split(p.Receiver, "/")[0]})
		case p.Proven.IsZero():
			list = append(list, diagnosis{"receiver " + p.Receiver, "not proven yet: glassward notify prove", ""})
		default:
			list = append(list, diagnosis{"receiver " + p.Receiver, "proven " + stamp(p.Proven) + " by " + p.By, ""})
		}
	}
	return list
}

func receivers(ctx context.Context, c *config.Config) []diagnosis {
	var list []diagnosis
	for _, s := range c.MailServers {
		if s.Password != "" {
			if _, err := s.Password.Reveal(); err != nil {
				list = append(list, diagnosis{"password of mail server " + s.Name, err.Error(), "give the secret"})
			}
		}
		address := s.Address()
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			list = append(list, diagnosis{"mail server " + address, err.Error(), "check host, port and the way to it"})
			continue
		}
		conn.Close()
		list = append(list, diagnosis{"mail server " + address, "answers", ""})
	}
	if _, err := notify.NewFleet(c.Config, notify.Network{}); err != nil {
		list = append(list, diagnosis{"receivers", err.Error(), "mend the configuration"})
	}
	watched := notify.Watched{LookupMX: net.DefaultResolver.LookupMX}
	for _, t := range c.Each {
		watched.Domains = append(watched.Domains, t.Domains...)
	}
	for _, f := range c.Config.Lint(ctx, watched) {
		list = append(list, diagnosis{f.Place, f.Message + "; advice: " + f.Fix, ""})
	}
	return list
}
