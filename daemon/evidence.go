package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"time"

	"glassward/config"
	"glassward/incident"
	"glassward/rule"
	"glassward/state"
)

// keepRules stores the words of the rules as they judge from now on, so that an
// alert can be traced to them after they have changed.
func (d *Daemon) keepRules(ctx context.Context, set *rule.Set) error {
	versions := make([]state.RuleVersion, len(set.Rules))
	for i, r := range set.Rules {
		versions[i] = state.RuleVersion{ID: r.ID, Version: r.Version, QueryHash: r.QueryHash(), Name: r.Name, Text: r.Source()}
	}
	return d.state.PutRuleVersions(ctx, versions...)
}

// keepConfiguration writes into the journal by which files the daemon works from
// now on, and what they took away from those before. A file that cannot be read
// any more has an empty hash.
func (d *Daemon) keepConfiguration(ctx context.Context, c *config.Config, who string, lost map[string][]string) error {
	files := map[string]string{}
	hash := func(path string) {
		if text, err := os.ReadFile(path); err == nil {
			sum := sha256.Sum256(text)
			files[path] = hex.EncodeToString(sum[:])
		} else {
			files[path] = ""
		}
	}
	if c.File != "" {
		hash(c.File)
	}
	for _, t := range c.Each {
		if t.File != "" {
			hash(t.File)
		}
		for _, file := range t.CollectionFiles() {
			hash(file)
		}
	}
	return d.state.Record(ctx, "configuration", "", map[string]any{"files": files, "by": who, "takenAway": lost})
}

const (
	// verifyEvery is the time between two rounds over the journal.
	verifyEvery = time.Hour
	// verifyAtOnce is how many entries are checked between two looks at ctx.
	verifyAtOnce = 1000
)

// verifyJournal goes over the whole journal, again and again: what was written
// must still be what it was.
func (d *Daemon) verifyJournal(ctx context.Context) {
	every := time.NewTicker(verifyEvery)
	defer every.Stop()
	for {
		var at state.Mark
		for ctx.Err() == nil {
			next, err := d.state.Verify(ctx, at, verifyAtOnce)
			if err != nil && ctx.Err() == nil {
				d.tell(ctx, "", incident.Health{
					Cause: "journal", Subject: "state.db", Title: "The journal of evidence is not what it was",
					Detail: fmt.Sprintf("%v\nEntries up to %d are whole.", err, next.Seq),
					Since:  d.started,
				})
				break
			}
			if next == at {
				break
			}
			at = next
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}
