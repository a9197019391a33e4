package logstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward"
	"glassward/internal/fault"
	"glassward/kql/value"
)

// The intake is the writing side of a store: one goroutine, one connection.
// Callers hand batches over and wait; what is waiting when a commit ends goes
// into the next one together, so that the disk is waited for once.
type intake struct {
	store *Store
	conn  *conn
	queue chan *request

	// Of the goroutine alone. stale says that a commit ended in an error, so that
	// what is remembered may not be what is stored.
	stale bool
	// open says that a transaction is open with batches that are stored and not
	// yet committed: those of loads, see Load. openRows counts their rows,
	// openCursors are their cursors, openLoads whose they are, openSince is when
	// the first of them was stored.
	open        bool
	openRows    int
	openCursors map[string][]byte
	openLoads   map[*Loader]bool
	openSince   time.Time

	// appenders are kept from one commit to the next: making one costs as much
	// as appending hundreds of records.
	appenders map[*table]*appender
	index     *index
	seq       int64 // the last sequence number given
	pending   map[glassward.RecordID]int
	journal   *journal
	keeper    *keeper

	mu      sync.Mutex
	cursors map[string][]byte

	once         sync.Once
	ending, done chan struct{}
}

// groupRows is how many records a commit takes at most, unless one batch alone
// has more.
const groupRows = 32 << 10

// newIntake learns what the store has: the cursors, the ids, the last sequence
// number.
func newIntake(ctx context.Context, s *Store, c *conn) (*intake, error) {
	in := &intake{store: s, conn: c, queue: make(chan *request, 256), ending: make(chan struct{}), done: make(chan struct{}),
		pending: map[glassward.RecordID]int{}, appenders: map[*table]*appender{}, cursors: map[string][]byte{}, openCursors: map[string][]byte{}, openLoads: map[*Loader]bool{}}
	if err := in.learn(ctx); err != nil {
		return nil, err
	}
	if s.dir != "" {
		j, err := openJournal(s.journalPath())
		if err != nil {
			return nil, err
		}
		in.journal = j
	}
	in.keeper = newKeeper(s)
	return in, nil
}

// learn reads the cursors, makes the index and finds the last sequence number.
func (in *intake) learn(ctx context.Context) error {
	rows, err := in.conn.all(ctx, "SELECT source, position FROM _cursors", nil)
	if err != nil {
		return err
	}
	cursors := map[string][]byte{}
	for _, r := range rows {
		cursors[r[0].(string)] = []byte(r[1].(string))
	}
	in.mu.Lock()
	in.cursors = cursors
	in.mu.Unlock()
	var count strings.Builder
	count.WriteString("SELECT coalesce(sum(n), 0)::BIGINT, coalesce(max(top), 0)::BIGINT FROM (SELECT 0 AS n, max(seq) AS top FROM _floor")
	// A file may have tables that this schema does not know; their numbers count.
	tables, err := in.conn.all(ctx, "SELECT table_name FROM duckdb_columns() WHERE NOT internal AND column_name = '"+seqColumn+"'", nil)
	if err != nil {
		return err
	}
	for _, r := range tables {
		fmt.Fprintf(&count, " UNION ALL SELECT count(*), max(%s) FROM %s", seqColumn, quote(r[0].(string)))
	}
	count.WriteString(")")
	got, err := in.conn.all(ctx, count.String(), nil)
	if err != nil {
		return err
	}
	in.seq = got[0][1].(int64)
	if in.journal != nil {
		in.seq = max(in.seq, in.journal.last)
	}
	in.index = newIndex(int(got[0][0].(int64)))
	for name := range in.store.tables() {
		if err := in.learnTable(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (in *intake) learnTable(ctx context.Context, name string) error {
	st, err := in.conn.prepare(fmt.Sprintf(`SELECT "_ItemId", %s FROM %s`, seqColumn, quote(name)))
	if err != nil {
		return err
	}
	defer st.close()
	rows, err := st.query(ctx, nil)
	if err != nil {
		return err
	}
	defer rows.close()
	for {
		ch, err := rows.next()
		if err != nil || ch == nil {
			return err
		}
		for i := range ch.size {
			in.index.add(at[hugeint](&ch.columns[0], i).uuid(), *at[int64](&ch.columns[1], i))
		}
	}
}

// raiseFloor writes down the last sequence number as given, whatever records are
// there.
func (in *intake) raiseFloor() error {
	return in.conn.exec(context.Background(), fmt.Sprintf("BEGIN; DELETE FROM _floor; INSERT INTO _floor VALUES (%d); COMMIT", in.seq))
}

func (in *intake) start() {
	in.keeper.start()
	go in.work()
}

// send hands a request over and waits for its answer.
func (in *intake) send(ctx context.Context, r *request) (Committed, error) {
	r.answer = make(chan answer, 1)
	if err := ctx.Err(); err != nil {
		return Committed{}, err
	}
	select {
	case <-in.ending:
		return Committed{}, ErrClosed
	default:
	}
	select {
	case in.queue <- r:
	case <-ctx.Done():
		return Committed{}, ctx.Err()
	case <-in.ending:
		return Committed{}, ErrClosed
	}
	// From here on the batch is the store's: only its answer says what became of
	// it.
	select {
	case a := <-r.answer:
		return a.committed, a.err
	case <-in.done:
		select {
		case a := <-r.answer:
			return a.committed, a.err
		default:
			return Committed{}, ErrClosed
		}
	}
}

// do runs something between two commits, on the intake's connection.
func (in *intake) do(ctx context.Context, f func(context.Context, *conn) error) error {
	_, err := in.send(ctx, &request{job: func(c *conn) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return f(ctx, c)
	}})
	return err
}

// work takes batches until the store closes.
func (in *intake) work() {
	defer close(in.done)
	idle := time.NewTimer(loadIdle)
	defer idle.Stop()
	for {
		r := in.poll()
		if r == nil {
			idle.Reset(loadIdle)
			select {
			case r = <-in.queue:
			case <-idle.C:
				in.finishLoad()
				continue
			case <-in.ending:
				in.finishLoad()
				return
			}
		}
		var group []*request
		for n := 0; r != nil && r.job == nil && (len(group) == 0 || (r.load == nil) == (group[0].load == nil)); r = in.poll() {
			group = append(group, r)
			if n += len(r.batch.Records); n >= groupRows {
				r = nil
				break
			}
		}
		if len(group) > 0 {
			in.serve(group)
		}
		if r == nil {
			continue
		}
		if r.job != nil {
			in.run(r)
		} else {
			in.serve([]*request{r})
		}
	}
}

// poll gives what is waiting, nil if nothing is.
func (in *intake) poll() *request {
	select {
	case r := <-in.queue:
		return r
	default:
		return nil
	}
}

// run does a job and answers for it.
func (in *intake) run(r *request) {
	in.store.gate.RLock()
	defer in.store.gate.RUnlock()
	if in.store.closed {
		r.answer <- answer{err: ErrClosed}
		return
	}
	// Whose batches are lost where this fails is told so.
	_ = in.seal()
	r.answer <- answer{err: r.job(in.conn)}
}

// finishLoad commits what a load has left open.
func (in *intake) finishLoad() {
	in.store.gate.RLock()
	defer in.store.gate.RUnlock()
	if !in.store.closed {
		// Whose batches are lost where this fails is told so.
		_ = in.seal()
	}
}

// serve stores a group and answers its callers, who are either all loads or all
// not. Others than loads are answered when their batches are durable.
func (in *intake) serve(group []*request) {
	in.store.gate.RLock()
	defer in.store.gate.RUnlock()
	group = slices.DeleteFunc(group, func(r *request) bool {
		err := r.load.told()
		if in.store.closed {
			err = ErrClosed
		}
		if err == nil {
			err = r.fits(in.store.shape.Load())
		}
		if err != nil {
			r.answer <- answer{err: err}
		}
		return err != nil
	})
	if len(group) == 0 {
		return
	}
	load := group[0].load != nil
	err := in.stage(group)
	if errors.Is(err, errAgain) {
		// Nothing was written yet: the batches go in one after the other.
		for _, r := range group {
			if err = in.stage([]*request{r}); err != nil {
				break
			}
		}
	}
	if err == nil && (!load || in.openRows >= LoadRows || time.Since(in.openSince) >= loadAge) {
		err = in.seal()
	}
	for _, r := range group {
		switch {
		case err == nil:
			r.answer <- answer{committed: r.out}
		case load:
			r.load.lost = nil
			r.answer <- answer{err: &LoadError{err}}
		default:
			r.answer <- answer{err: err}
		}
	}
}

// A draft is what a group will write.
type draft struct {
	entries   []entry
	histories []history
	raws      []rawRow
	deletes   map[*table][]int64
	// seen are the stored rows that were looked up, asked the ids that were, and
	// digests the copies that the history knows of those in seen.
	seen    map[glassward.RecordID]*storedRow
	asked   map[glassward.RecordID]bool
	digests map[glassward.RecordID]map[string]bool
	now     time.Time
}

func newDraft(now time.Time) *draft {
	return &draft{now: now, deletes: map[*table][]int64{}, seen: map[glassward.RecordID]*storedRow{}, asked: map[glassward.RecordID]bool{}}
}

// stage decides what becomes of every record of the group and writes it, and
// leaves the transaction open. After an error of the engine nothing of the
// transaction is left.
func (in *intake) stage(group []*request) (err error) {
	ctx := context.Background()
	if in.stale {
		if err := in.learn(ctx); err != nil {
			return fmt.Errorf("learn what is stored after a commit that failed: %w", err)
		}
		in.stale = false
	}
	d := newDraft(in.store.options.Now())
	clear(in.pending)
	total := 0
	for _, r := range group {
		total += len(r.batch.Records)
		r.out = Committed{}
	}
	d.entries = make([]entry, 0, total)
	if err := in.lookUp(ctx, group, d); err != nil {
		return in.fail(err)
	}
	for _, r := range group {
		r.first = len(d.entries)
		for i := range r.batch.Records {
			if err := in.decide(ctx, r, &r.batch.Records[i], d); err != nil {
				if errors.Is(err, errAgain) {
					return err
				}
				return in.fail(err)
			}
		}
		r.last = len(d.entries)
	}
	for i := range d.entries {
		d.entries[i].seq = in.seq + int64(i) + 1
	}
	if err := in.write(ctx, d); err != nil {
		return in.fail(err)
	}
	in.seq += int64(len(d.entries))
	in.openRows += len(d.entries)
	for i := range d.entries {
		e := &d.entries[i]
		if e.replaces != nil && e.replaces.seq != 0 {
			in.index.move(e.id, e.replaces.seq, e.seq)
		} else {
			in.index.add(e.id, e.seq)
		}
	}
	for _, r := range group {
		if c := r.batch.Cursor; c != nil {
			// A load's caller uses its memory again before the commit. Of several
			// positions of a source the last one counts.
			in.openCursors[c.Source] = slices.Concat([]byte{}, c.Position)
		}
		if r.load != nil {
			if len(in.openLoads) == 0 {
				in.openSince = time.Now()
			}
			in.openLoads[r.load] = true
		}
		r.finish(d.entries[r.first:r.last])
	}
	return nil
}

// fail undoes the open transaction. What was remembered of it is learned anew
// before the next one, and every load that had a part in it will be told.
func (in *intake) fail(err error) error {
	for _, w := range in.appenders {
		w.drop()
	}
	if in.open {
		// ROLLBACK fails where a commit has ended the transaction already.
		_ = in.conn.exec(context.Background(), "ROLLBACK")
	}
	in.open, in.openRows, in.stale = false, 0, true
	clear(in.openCursors)
	for l := range in.openLoads {
		l.lost = err
	}
	clear(in.openLoads)
	return err
}

// begin opens the transaction if it is not open.
func (in *intake) begin(ctx context.Context) error {
	if in.open {
		return nil
	}
	if err := in.conn.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	in.open = true
	return nil
}

// seal writes the cursors and commits, and notes in the journal what is now
// durable. An error of the commit itself leaves open whether it happened.
func (in *intake) seal() error {
	ctx := context.Background()
	if !in.open && len(in.openCursors) == 0 {
		return nil
	}
	if err := in.begin(ctx); err != nil {
		return in.fail(err)
	}
	if err := in.flush(); err != nil {
		return in.fail(err)
	}
	for source, position := range in.openCursors {
		if err := in.writeCursor(ctx, source, position); err != nil {
			return in.fail(err)
		}
	}
	if err := fault.Point("logstore.commit.before"); err != nil {
		return in.fail(err)
	}
	if err := in.conn.exec(ctx, "COMMIT"); err != nil {
		return in.fail(fmt.Errorf("commit: %w", err))
	}
	if err := fault.Point("logstore.commit.after"); err != nil {
		return in.fail(err)
	}
	if in.journal != nil && in.openRows > 0 {
		if err := in.journal.note(in.seq); err != nil {
			return in.fail(err)
		}
	}
	in.mu.Lock()
	maps.Copy(in.cursors, in.openCursors)
	in.mu.Unlock()
	in.open, in.openRows = false, 0
	clear(in.openCursors)
	clear(in.openLoads)
	in.keeper.wake()
	return nil
}

// decide finds the fate of one record.
func (in *intake) decide(ctx context.Context, r *request, rec *glassward.Record, d *draft) error {
	t := r.shape.tables[rec.Table]
	id := rec.ID
	copy := said{rec.Values, rec.Extra}
	for {
		stored, at, err := in.known(ctx, t, id, d)
		if err != nil {
			return err
		}
		if stored == nil {
			in.pending[id] = len(d.entries)
			d.entries = append(d.entries, entry{said: copy, table: t, id: id, received: d.received(rec),
				source: rec.Source, provenance: rec.Provenance, from: rec})
			in.keepRaw(rec, id, d)
			if id == rec.ID {
				r.out.Added++
			}
			return nil
		}
		if t.schema.Custom {
			// Its id says that it is the same record: what is sent again of it, worked
			// out at another time, is no later word.
			r.out.Duplicates++
			return nil
		}
		v := t.judge(stored.said, stored.provenance, copy, rec.Provenance)
		switch v.fate {
		case dropped:
			r.out.Duplicates++
			return nil
		case noted, updated:
			came := copy.digest(rec.Provenance)
			old, err := in.comeBefore(ctx, id, d)
			if err != nil {
				return err
			}
			if old[string(came)] || string(stored.digest(stored.provenance)) == string(came) {
				r.out.Duplicates++
				return nil
			}
			received := int64(value.FromTime(d.received(rec)))
			if v.fate == noted {
				r.out.Duplicates++
				old[string(came)] = true
				d.histories = append(d.histories, history{said: copy, table: t, id: id, kind: outrank,
					received: received, source: rec.Source, provenance: rec.Provenance, digest: came})
				return nil
			}
			r.out.Updated++
			before := stored.digest(stored.provenance)
			old[string(came)], old[string(before)] = true, true
			d.histories = append(d.histories,
				history{said: stored.said, table: t, id: id, seq: stored.seq, kind: replaced, received: stored.received,
					source: stored.source, provenance: stored.provenance, digest: before},
				history{table: t, id: id, kind: accepted, received: received, source: rec.Source, provenance: rec.Provenance, digest: came})
			next := entry{said: v.merged, table: t, id: id, received: d.received(rec), source: rec.Source, provenance: rec.Provenance, from: rec, replaces: stored}
			in.keepRaw(rec, id, d)
			if at >= 0 && at >= r.first {
				// The row is of this very batch and not yet written: it is written once,
				// merged.
				next.replaces = d.entries[at].replaces
				d.entries[at] = next
				return nil
			}
			if at >= 0 {
				return errAgain
			}
			d.deletes[t] = append(d.deletes[t], stored.seq)
			in.pending[id] = len(d.entries)
			d.entries = append(d.entries, next)
			return nil
		case beside:
			if id != rec.ID {
				// Two contradictions with the same claim cannot contradict one another.
				return fmt.Errorf("store a record of %s: internal error: record %s contradicts its own kind", rec.Table, id)
			}
			id = besideID(rec.ID, rec.Provenance, t.claim(rec.Values))
			there, _, err := in.known(ctx, t, id, d)
			if err != nil {
				return err
			}
			if there == nil {
				r.out.Conflicts = append(r.out.Conflicts, Conflict{Table: rec.Table, ID: rec.ID, Beside: id,
					Column: t.schema.Columns[v.column].Name, Stored: plainText(stored.cells[v.column]), Copy: plainText(rec.Values[v.column]),
					StoredSource: stored.source, CopySource: rec.Source, StoredProvenance: stored.provenance, Provenance: rec.Provenance, Line: rec.Line})
			}
		}
	}
}

// errAgain says that a record of one batch is a new version of one that another
// batch of the same group brings.
var errAgain = errors.New("its record is of another batch of the same commit")

// known gives the row of an id, as stored or as it stands in the draft (at is
// then its place there, else -1); nil if there is none.
func (in *intake) known(ctx context.Context, t *table, id glassward.RecordID, d *draft) (row *storedRow, at int, err error) {
	if at, ok := in.pending[id]; ok {
		e := &d.entries[at]
		return &storedRow{said: e.said, id: id, received: int64(value.FromTime(e.received)), source: e.source, provenance: e.provenance}, at, nil
	}
	if d.asked[id] {
		return d.seen[id], -1, nil
	}
	var room [4]uint64
	blocks := in.index.find(id, room[:0])
	if len(blocks) == 0 {
		return nil, -1, nil
	}
	if err := in.fetch(ctx, t, []wanted{{id, blocks}}, d); err != nil {
		return nil, -1, err
	}
	return d.seen[id], -1, nil
}

// write writes the draft into the transaction.
func (in *intake) write(ctx context.Context, d *draft) error {
	if len(d.entries) == 0 && len(d.histories) == 0 {
		return nil
	}
	if err := fault.Point("logstore.append.before"); err != nil {
		return err
	}
	if err := in.begin(ctx); err != nil {
		return err
	}
	if len(d.deletes) > 0 {
		if err := in.flush(); err != nil {
			return err
		}
	}
	for t, seqs := range d.deletes {
		if err := in.deleteRows(ctx, t, seqs); err != nil {
			return err
		}
	}
	for i := range d.entries {
		if err := in.writeEntry(&d.entries[i]); err != nil {
			return err
		}
	}
	if err := in.writeHistories(ctx, d.histories); err != nil {
		return err
	}
	return in.writeRaws(ctx, d)
}

// writeEntry hands an entry to its table's appender.
func (in *intake) writeEntry(e *entry) (err error) {
	w := in.appenders[e.table]
	if w == nil {
		if w, err = newAppender(in.conn, e.table); err != nil {
			return err
		}
		in.appenders[e.table] = w
	}
	if err := w.add(e); err != nil {
		return fmt.Errorf("store a record of %s (%s, line %d): %w", e.table.schema.Name, e.source, e.from.Line, err)
	}
	return nil
}

// flush makes what the appenders hold part of the transaction, so that
// statements of the transaction see it.
func (in *intake) flush() error {
	for _, w := range in.appenders {
		if err := w.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (in *intake) deleteRows(ctx context.Context, t *table, seqs []int64) error {
	slices.Sort(seqs)
	var sql strings.Builder
	fmt.Fprintf(&sql, "DELETE FROM %[1]s WHERE %[2]s BETWEEN %[3]d AND %[4]d AND %[2]s IN (", quote(t.schema.Name), seqColumn, seqs[0], seqs[len(seqs)-1])
	for i, n := range seqs {
		if i > 0 {
			sql.WriteByte(',')
		}
		fmt.Fprint(&sql, n)
	}
	sql.WriteByte(')')
	return in.conn.exec(ctx, sql.String())
}

func (in *intake) writeHistories(ctx context.Context, list []history) error {
	if len(list) == 0 {
		return nil
	}
	st, err := in.conn.prepare(`INSERT INTO _versions VALUES ($item::UUID, $tbl, $seq, $kind, $received, $source, $provenance, $digest, $record)`)
	if err != nil {
		return err
	}
	defer st.close()
	for i := range list {
		h := &list[i]
		record := ""
		if h.cells != nil {
			record = h.table.text(h.said)
		}
		rows, err := st.query(ctx, map[string]any{"item": h.id.String(), "tbl": h.table.schema.Name, "seq": h.seq, "kind": h.kind,
			"received": h.received, "source": h.source, "provenance": string(h.provenance), "digest": h.digest, "record": record})
		if err != nil {
			return err
		}
		rows.close()
	}
	return nil
}

// text writes a row as one JSON object, without what is empty.
func (t *table) text(s said) string {
	m := map[string]any{}
	for i, v := range s.cells {
		name := t.schema.Columns[i].Name
		switch v.Kind {
		case glassward.KindBool:
			m[name] = v.Num != 0
		case glassward.KindLong:
			m[name] = v.Num
			if t.schema.Columns[i].Type == value.DateTime {
				m[name] = value.Ticks(v.Num).String()
			}
		case glassward.KindReal:
			m[name] = v.Real
		case glassward.KindString:
			if v.Str != "" {
				m[name] = v.Str
			}
		}
	}
	if s.extra != "" {
		m["_Extra"] = s.extra
	}
	b, err := json.Marshal(m)
	if err != nil {
		return "{}"
	}
	return string(b)
}

func (in *intake) writeCursor(ctx context.Context, source string, position []byte) error {
	sql := "UPDATE _cursors SET position = $position WHERE source = $source"
	if _, known := in.cursors[source]; !known {
		sql = "INSERT INTO _cursors VALUES ($source, $position)"
	}
	_, err := in.conn.run(ctx, sql, map[string]any{"source": source, "position": position})
	return err
}

func (in *intake) cursor(source string) ([]byte, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	position, ok := in.cursors[source]
	return slices.Clone(position), ok
}

// stop lets the goroutine finish what is waiting and ends it.
func (in *intake) stop() {
	in.once.Do(func() { close(in.ending) })
	<-in.done
	in.keeper.stop()
}

// close gives the connection back.
func (in *intake) close() {
	in.detach()
	in.journal.close()
}

// detach gives the connection back, and what hangs on it.
func (in *intake) detach() {
	for t, w := range in.appenders {
		w.close()
		delete(in.appenders, t)
	}
	in.conn.close()
}
