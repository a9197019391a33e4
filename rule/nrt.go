package rule

import (
	"context"
	"fmt"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
)

// settleNRT commits what was found up to next, or, if nothing was, remembers it.
func (e *Engine) settleNRT(ctx context.Context, j *judge, next state, v *verdicts) error {
	recovered := j.failed != nil
	next.failed = ""
	if len(v.changes) > 0 || recovered {
		if err := e.save(ctx, j, &next, Outcome{RuleID: j.rule.ID, Alerts: v.list(), Recovered: recovered}); err != nil {
			return err
		}
	}
	j.state, j.failed = next, nil
	return nil
}

// judgeSeq judges the records with from < seq <= next.seq. covered, if not nil, gets
// the records that caused rows.
func (e *Engine) judgeSeq(ctx context.Context, j *judge, v *verdicts, next *state, from int64, stamps map[glassward.RecordID]stamp, covered map[glassward.RecordID]struct{}) error {
	now := value.FromTime(e.options.Now())
	// Whatever is new in the log and known to an alert has come again.
	again := func([]glassward.RecordID) bool { return true }
	f := frame{from: now, to: now, again: again, state: next}
	bind := kql.Bind{Now: now, SeqFrom: from, SeqTo: next.seq}
	rows, columns, stamps, err := e.run(ctx, j, e.programFor(j, next.seq-from), v, bind, f, stamps)
	if err != nil {
		return fmt.Errorf("judge records %d to %d: %w", from+1, next.seq, err)
	}
	if len(rows) == 0 {
		return nil
	}
	for _, r := range rows {
		for _, id := range r.records {
			covered[id] = struct{}{}
		}
	}
	silence := func(string) (glassward.AlertID, bool) { return "", false }
	_, err = v.find(ctx, rows, columns, stamps, f, silence)
	return err
}

// catchUpNRT judges what lies between the rule's watermark and the newest
// record, from the store.
func (e *Engine) catchUpNRT(ctx context.Context, j *judge) error {
	for head := e.head.Load(); j.state.seq < head; {
		next := j.state.clone()
		next.seq = min(head, j.state.seq+seqPerRun)
		v := newVerdicts(e, j)
		if err := e.judgeSeq(ctx, j, v, &next, j.state.seq, nil, map[glassward.RecordID]struct{}{}); err != nil {
			return e.fail(ctx, j, err)
		}
		if err := e.settleNRT(ctx, j, next, v); err != nil {
			return err
		}
	}
	return nil
}
