package logstore

import (
	"context"
	"testing"
)

// TestKeptStatementsGoStale holds down why Run plans every query anew: the
// engine planned the kept statement by the statistics of a table without a
// match, found that nothing can match, and says so for ever. When this test
// fails the engine has learned to plan again, and statements may be kept.
func TestKeptStatementsGoStale(t *testing.T) {
	c := openTest(t)
	ctx := context.Background()
	if err := c.exec(ctx, "CREATE TABLE t (x BIGINT); INSERT INTO t SELECT range % 3 FROM range(1000)"); err != nil {
		t.Fatal(err)
	}
	st, err := c.prepare("SELECT count(*) FROM t WHERE x > 5")
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	count := func() any {
		rows, err := st.query(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.close()
		ch, err := rows.next()
		if err != nil {
			t.Fatal(err)
		}
		return ch.columns[0].value(0)
	}
	if got := count(); got != int64(0) {
		t.Fatal(got)
	}
	if err := c.exec(ctx, "INSERT INTO t VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	fresh, err := c.all(ctx, "SELECT count(*) FROM t WHERE x > 5", nil)
	if err != nil || fresh[0][0] != int64(1) {
		t.Fatal(fresh, err)
	}
	if got := count(); got != int64(0) {
		t.Errorf("the kept statement finds %v", got)
	}
}
