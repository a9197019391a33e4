package daemon

import (
	"glassward/entra"
	"glassward/ingest"
)

// watchSelf looks after our own application in the tenant.
func (j *journey) watchSelf() { <-j.ctx.Done() }

// beat sends the pulse.
func (j *journey) beat() { <-j.ctx.Done() }

// nextRoad sets out on the road that stands in for one whose licence is missing.
func (w *workspace) nextRoad(r road, x ingest.Report, f *entra.Fault) {}
