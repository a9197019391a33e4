package access

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"glassward/directory"
)

// The verdict of the partition against that of judging every cell by itself, over
// tenants so small that this can be done: how much of the time is left (ours/reference).
func BenchmarkPartition(b *testing.B) {
	tenants := rapid.Custom(genTenant)
	var ours, reference time.Duration
	var cells float64
	for b.Loop() {
		for seed := range 20 {
			s := directory.New(tenants.Example(seed))
			j := NewJudge(s)
			small(j)
			start := time.Now()
			a := j.Emergency(account)
			ours += time.Since(start)

			j = NewJudge(s)
			small(j)
			n, _, _ := j.Cells()
			cells += float64(n)
			start = time.Now()
			want := enumerate(j, a.Subject)
			reference += time.Since(start)
			if a.Outcome != want {
				b.Fatalf("tenant %d: the partition says %v, every cell by itself %v", seed, a.Outcome, want)
			}
		}
	}
	b.ReportMetric(cells/float64(20*b.N), "cells/tenant")
	b.ReportMetric(ours.Seconds()/reference.Seconds(), "ours/reference")
}
