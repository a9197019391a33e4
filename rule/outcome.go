package rule

import (
	"context"
	"errors"
	"time"

	"glassward"
	"glassward/kql"
)

// A Runner runs a compiled query. The rows of a result that was cut must be
// marked by Result.Truncated.
type Runner interface {
	Run(ctx context.Context, p *kql.Program, b kql.Bind) (*kql.Result, error)
}

// RunnerFunc is a function that is a Runner.
type RunnerFunc func(ctx context.Context, p *kql.Program, b kql.Bind) (*kql.Result, error)

// Run calls f.
func (f RunnerFunc) Run(ctx context.Context, p *kql.Program, b kql.Bind) (*kql.Result, error) {
	return f(ctx, p, b)
}

// A Memory knows what was committed. It is asked when an engine starts and when
// a rule has a result, never for records that no rule can match.
type Memory interface {
	// Watermark gives a rule's last committed watermark, nil if there is none.
	Watermark(ctx context.Context, tenant, ruleID string) ([]byte, error)
	// AlertsByRecords gives, for those of the records that alerts of the rule and
	// group (Alert.Group) hold, the alert. If several hold one, it is the one that
	// held it first.
	AlertsByRecords(ctx context.Context, tenant, ruleID, group string, ids []glassward.RecordID) (map[glassward.RecordID]glassward.AlertID, error)
	// AlertsHolding gives the alerts, of whatever rule and group, that hold one of
	// the records, each with all the records that it holds. It is asked when
	// records came again.
	AlertsHolding(ctx context.Context, tenant string, ids []glassward.RecordID) (map[glassward.AlertID]Holding, error)
}

// A Holding is what an alert holds.
type Holding struct {
	RuleID  string
	Group   string
	Records []glassward.RecordID
}

// A Desk takes outcomes in. Commit stores the watermarks of all of them and
// everything that follows from their alerts in one transaction: after an error
// nothing may have been stored, and the engine judges again.
type Desk interface {
	Commit(ctx context.Context, outcomes ...Outcome) error
}

// DeskFunc is a function that is a Desk.
type DeskFunc func(ctx context.Context, outcomes ...Outcome) error

// Commit calls f.
func (f DeskFunc) Commit(ctx context.Context, outcomes ...Outcome) error { return f(ctx, outcomes...) }

// An Outcome is what one evaluation of one rule gives.
type Outcome struct {
	RuleID string
	// Watermark is what the rule has judged, opaque JSON, nil if it is not to be
	// changed.
	Watermark []byte
	// Alerts are in the order in which they were found, each at most once.
	Alerts []Change
	// Err says why the rule could not be judged, or not all of it: once, and
	// again when the reason changes. What was not judged is owed and will be
	// judged as soon as the rule works.
	Err error
	// Recovered says that a rule which had failed works again.
	Recovered bool
}

// A ChangeKind says what happened to an alert.
type ChangeKind string

// The kinds of change.
const (
	New         ChangeKind = "new"
	Grown       ChangeKind = "grown"
	Unconfirmed ChangeKind = "unconfirmed"
)

// A Change is a new alert, more of a known one, or one that later data withdrew.
type Change struct {
	Kind ChangeKind
	// Alert is the alert as this evaluation sees it. Of one that grew this may be
	// a part: what was known of it before is still true. Of one that was withdrawn
	// it has the ids and names only.
	Alert glassward.Alert
	// NewRecords are those of Alert.Records that the alert did not hold before. It
	// is empty where the same records, come again and fuller, gave a row that
	// differs.
	NewRecords []glassward.RecordID
}

// A Batch is one commit of the log store: the records with From < sequence
// number <= To.
type Batch struct {
	From, To int64
	Records  []glassward.Record
	// Updated counts those of Records that were stored before and came again with
	// other content; 0 saves the engine a question.
	Updated int
}

// A State says how a rule stands.
type State struct {
	ID, Name string
	Kind     Kind
	// RunsAs is how the rule is judged: "NRT", "Scheduled every 5m over 1h", and
	// for an NRT rule with a query that is not local what it runs as instead.
	RunsAs string
	// Origin is "shipped" or the rule's file.
	Origin  string
	Enabled bool
	// Tables are those that the rule's query reads.
	Tables []string
	// Err is why the rule does not work at present, nil if it does; Since when.
	Err   error
	Since time.Time
	// JudgedTo is the sequence number to which an NRT rule has judged; Windows is
	// the end of the newest window that a Scheduled one has.
	JudgedTo int64
	Windows  time.Time
	// Owed counts windows that are to be judged again or still.
	Owed int64
	// Every is how often a Scheduled rule is judged, Took what its latest window
	// took, and Slow how many in a row have taken longer than that.
	Every, Took time.Duration
	Slow        int
	// Suppressed counts the windows since the last alert that had results and gave
	// no alert because the rule is suppressed. The next alert says so.
	Suppressed int64
	// OpenSince is the time up to which every source of the rule's tables has
	// delivered: windows that end later are held open. Zero if nothing came yet.
	OpenSince time.Time
}

// ErrDisabled is the state's Err of a rule that cannot be judged until its file
// is mended.
var ErrDisabled = errors.New("the rule does not compile")
