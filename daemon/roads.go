package daemon

import (
	"time"

	"glassward"
	"glassward/config"
	"glassward/ingest"
)

// roadsOf gives the roads that a tenant's file configures.
func (w *workspace) roadsOf(t config.Tenant, r *reach) []road {
	var list []road
	add := func(x road) {
		x.watch = newWatch(x.name, w.d.now())
		list = append(list, x)
	}
	for _, f := range t.Folders {
		name := "folder:" + f.Path
		add(road{name: name, open: func(ingest.Observer) (ingest.Source, error) {
			return ingest.NewFolder(f.Path, ingest.FolderOptions{
				Decoder: ingest.DecoderOptions{Provenance: glassward.File, Table: f.Table, Tenant: t.ID, Now: w.d.now},
				Poll:    time.Duration(f.Every),
				Problem: func(path string, err error) { w.d.reportSource(w.ctx, w, path, err) },
			})
		}})
	}
	return list
}

// roadNames gives the names of the roads that a tenant's file configures.
func roadNames(t config.Tenant) []string {
	var names []string
	s := t.Sources
	if s.Graph != nil {
		names = append(names, graphName)
	}
	if s.Activity != nil {
		names = append(names, activityName)
	}
	for _, e := range s.EventHub {
		names = append(names, "eventhub:"+e.Namespace)
	}
	for _, x := range s.Storage {
		names = append(names, "storage:"+x.Path)
	}
	for _, x := range s.Logs {
		names = append(names, "workspace:"+x.ID)
	}
	for _, f := range t.Folders {
		names = append(names, "folder:"+f.Path)
	}
	return names
}

// The names of the roads of which a tenant has one at most.
const (
	graphName    = "graph"
	activityName = "activity"
)
