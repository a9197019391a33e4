package logstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"glassward"
	"glassward/kql"
	"glassward/schema"
)

// transformTime bounds one transform. It reads a thousand records or so and none
// that is stored.
const transformTime = 10 * time.Second

// Transform runs a compiled query over given records in the place of stored ones:
// source is the one table that the query reads, and its rows are the records, by
// their order. They stand in a temporary table of one connection, which nobody else
// sees, and are gone when Transform returns; nothing is written to the file. The
// errors are those of Run, and a *RecordError.
func (s *Store) Transform(ctx context.Context, p *kql.Program, bind kql.Bind, source *schema.Table, records []glassward.Record) (*kql.Result, error) {
	t := newTable(source)
	t.catalog = "temp"
	for i := range t.columns {
		t.layout = append(t.layout, i)
	}
	for i := range records {
		if err := t.check(records[i].Values); err != nil {
			return nil, &RecordError{source.Name, records[i].Source, records[i].Line, err}
		}
	}
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	limits := Limits{Class: Intake, Timeout: transformTime}
	limits.fill(&s.options)
	result := &kql.Result{Name: p.Name, Columns: p.Columns}
	err = s.pool.with(ctx, limits, func(ctx context.Context, c *conn) (err error) {
		args, err := arguments(p, bind)
		if err != nil {
			return err
		}
		if err := c.exec(ctx, fmt.Sprintf("CREATE OR REPLACE TEMP TABLE %s (%s)", quote(source.Name), t.ddl())); err != nil {
			return err
		}
		defer func() {
			// The connection goes back to the others: with the table gone.
			err = errors.Join(err, c.exec(context.WithoutCancel(ctx), "DROP TABLE IF EXISTS temp.main."+quote(source.Name)))
		}()
		if err := c.put(t, records); err != nil {
			return err
		}
		_, err = c.fill(ctx, p, args, limits, result)
		return err
	})
	if err != nil {
		return nil, s.damage(err)
	}
	return result, nil
}

// put appends records to a table of the connection's own.
func (c *conn) put(t *table, records []glassward.Record) error {
	w, err := newAppender(c, t)
	if err != nil {
		return err
	}
	defer w.close()
	for i := range records {
		r := &records[i]
		if err := w.add(&entry{said: said{r.Values, r.Extra}, table: t, id: r.ID, seq: int64(i) + 1, received: r.Received, source: r.Source, provenance: r.Provenance, from: r}); err != nil {
			return err
		}
	}
	return w.flush()
}
