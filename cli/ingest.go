package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"glassward"
	"glassward/console"
	"glassward/daemon"
	"glassward/ingest"
	"glassward/logstore"
)

func (a *app) ingestCommand() *cobra.Command {
	var data, tenant, table, retry, format, conf string
	cmd := &cobra.Command{
		Use:   "ingest FILE…",
		Short: "Take log files in, in whatever shape they are",
		Long: `Takes in files (globs, gzip, - for standard input) in every shape that Entra's
logs come in: diagnostic settings, Microsoft Graph, Log Analytics as JSON or CSV.
Shape and table are recognised for each record. Where a daemon runs over the data
folder it takes them in, and its rules judge them; else they go straight into
the store.

What cannot be understood goes to rejects.jsonl in the workspace's folder, with
file, line and reason; --retry takes that file in again. Exit code 1 if anything
was rejected.`,
		Example: `  glassward ingest signins-2026-11-20.json.gz 'audit-*.json'
  az … | glassward ingest -
  glassward ingest --retry data/workspaces/TENANT/rejects.jsonl`,
		RunE: func(cmd *cobra.Command, list []string) error {
			if (len(list) == 0) == (retry == "") {
				return usagef("name files to take in, or --retry a rejects file")
			}
			var total reading
			var err error
			switch c, gone := dial(data); {
			case gone == nil && retry == "":
				err = a.ingestThrough(cmd, c, list, tenant, table, &total)
			case gone == nil:
				return hint(errors.New("a daemon runs over this folder"), "stop it for a retry: a rejects file is rewritten by one program at a time")
			case !errors.Is(gone, errNoDaemon):
				return gone
			case retry != "":
				err = a.ingestAgain(cmd, conf, retry, data, tenant, table, &total)
			default:
				err = a.ingestAlone(cmd, list, conf, data, tenant, table, &total)
			}
			if err != nil {
				return err
			}
			return a.printReading(format, total)
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "data", "data folder")
	f.StringVar(&tenant, "tenant", "", "workspace, by tenant id or name; the only one if not given")
	f.StringVar(&conf, "config", "glassward.yaml", "configuration, where no daemon runs: it knows names, and accounts whose records are kept byte for byte")
	f.StringVar(&table, "table", "", "take every record as one of this table")
	f.StringVar(&retry, "retry", "", "take in again what this rejects file holds")
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

func (a *app) ingestAlone(cmd *cobra.Command, list []string, conf, data, tenant, table string, total *reading) error {
	files, err := filesOf(list)
	if err != nil {
		return err
	}
	name, accounts, err := a.tenantFor(conf, cmd.Flags().Changed("config"), data, tenant)
	if err != nil {
		return err
	}
	store, _, err := openWatching(cmd.Context(), data, name, accounts)
	if err != nil {
		return err
	}
	defer store.Close()
	guard := ""
	if tenant != "" || len(accounts) > 0 {
		guard = name
	}
	rejects := filepath.Join(daemon.WorkspaceDir(data, name), "rejects.jsonl")
	total.keep = func(list []ingest.Reject) error { return keepRejects(rejects, list) }
	err = a.readFiles(cmd.Context(), store, files, table, guard, total)
	return errors.Join(err, store.Close())
}

func keepRejects(path string, rejects []ingest.Reject) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep what was rejected: %w", err)
	}
	return errors.Join(ingest.WriteRejects(f, rejects), f.Close())
}

// ingestAgain takes a rejects file in and leaves in it what still fails. The new
// file is put in the place of the old one when all that was taken is durable; a
// crash before that leaves the old one, and reading it again doubles nothing.
func (a *app) ingestAgain(cmd *cobra.Command, conf, retry, data, tenant, table string, total *reading) error {
	in, err := os.Open(retry)
	if err != nil {
		return err
	}
	defer in.Close()
	name, accounts, err := a.tenantFor(conf, cmd.Flags().Changed("config"), data, tenant)
	if err != nil {
		return err
	}
	store, _, err := openWatching(cmd.Context(), data, name, accounts)
	if err != nil {
		return err
	}
	defer store.Close()
	left, err := os.OpenFile(retry+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer left.Close()
	total.keep = func(list []ingest.Reject) error { return ingest.WriteRejects(left, list) }
	load := store.Load()
	total.sum, err = ingest.Retry(cmd.Context(), in, ingest.DecoderOptions{Provenance: glassward.File, Table: table}, func(ctx context.Context, b *ingest.Batch) error {
		if err := total.reject(b.Rejects); err != nil {
			return err
		}
		if len(b.Records) == 0 {
			return nil
		}
		c, err := load.Add(ctx, logstore.Batch{Records: b.Records})
		total.committed(c)
		return err
	})
	if err = errors.Join(err, load.Flush(cmd.Context()), store.Close()); err != nil {
		return err
	}
	if err := errors.Join(left.Sync(), left.Close()); err != nil {
		return err
	}
	return os.Rename(retry+".new", retry)
}

// ingestThrough hands files to the daemon.
func (a *app) ingestThrough(cmd *cobra.Command, c *client, list []string, tenant, table string, total *reading) error {
	files, err := filesOf(list)
	if err != nil {
		return err
	}
	if tenant == "" {
		tenant = "default"
	}
	for _, path := range files {
		r, err := a.push(cmd.Context(), c, path, "/v1/ingest?tenant="+url.QueryEscape(tenant)+"&table="+url.QueryEscape(table))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		total.added += r.Added
		total.updated += r.Updated
		total.duplicate += r.Duplicates
		total.conflicts += r.Conflicts
		total.sum.Records += r.Records
		total.sum.Rejected += r.Rejected
		for name, n := range r.Tables {
			total.count(name, n)
		}
		for _, x := range r.Rejects {
			total.rejects = append(total.rejects, ingest.Reject{Source: path, Line: x.Line, Reason: x.Reason})
		}
	}
	return nil
}

// push sends one file, or standard input.
func (a *app) push(ctx context.Context, c *client, path, to string) (r console.Receipt, err error) {
	in := a.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return r, errors.Unwrap(err)
		}
		defer f.Close()
		in = f
	}
	m := a.meter(path, in)
	defer m.done()
	return r, c.send(ctx, "POST", to, m, &r)
}

func (r *reading) count(table string, n int) {
	r.sum.Add(ingest.Summary{By: map[ingest.TableShape]int{{Table: table}: n}})
}

// printReading says what became of every record.
func (a *app) printReading(format string, r reading) error {
	tables := map[string]int{}
	for k, n := range r.sum.By {
		tables[k.Table] += n
	}
	if format == "json" {
		receipt := console.Receipt{Records: r.sum.Records, Added: r.added, Updated: r.updated, Duplicates: r.duplicate, Conflicts: r.conflicts, Tables: tables, Rejected: r.sum.Rejected}
		for _, x := range r.rejects {
			receipt.Rejects = append(receipt.Rejects, console.Refusal{Line: x.Line, Reason: x.Source + ": " + x.Reason})
		}
		if err := json.NewEncoder(a.Stdout).Encode(receipt); err != nil {
			return err
		}
	} else {
		var names []string
		for t := range tables {
			names = append(names, t)
		}
		sort.Strings(names)
		for _, t := range names {
			fmt.Fprintf(a.Stdout, "%8d  %s\n", tables[t], t)
		}
		fmt.Fprintf(a.Stdout, "%s: %d new, %d fuller versions, %d already there", counted(r.sum.Records, "record", "records"), r.added, r.updated, r.duplicate)
		if r.conflicts > 0 {
			fmt.Fprintf(a.Stdout, ", %d that contradict what is stored", r.conflicts)
		}
		fmt.Fprintln(a.Stdout)
	}
	for k, n := range r.sum.Warnings {
		a.say("%d records: %s", n, k)
	}
	if r.sum.Rejected == 0 {
		return nil
	}
	const shown = 20
	for i, x := range r.rejects {
		if i == shown {
			a.say("… and %d more", r.sum.Rejected-shown)
			break
		}
		fmt.Fprintf(a.Stderr, "%s:%d: %s\n", line(strings.TrimPrefix(x.Source, "file:")), x.Line, line(x.Reason))
	}
	return hint(fmt.Errorf("%s rejected", counted(r.sum.Rejected, "record was", "records were")), "they are in rejects.jsonl in the workspace's folder; mend the cause and use glassward ingest --retry")
}
