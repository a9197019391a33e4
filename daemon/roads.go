package daemon

import (
	"crypto/tls"
	"errors"
	"slices"
	"time"

	"glassward"
	"glassward/config"
	"glassward/entra"
	"glassward/ingest"
	"glassward/ingest/activity"
	"glassward/ingest/eventhub"
	"glassward/ingest/graph"
	"glassward/ingest/storage"
	logs "glassward/ingest/workspace"
)

// roadsOf gives the roads that a tenant's file configures.
func (w *workspace) roadsOf(t config.Tenant, r *reach) []road {
	var list []road
	if g := t.Sources.Graph; g != nil {
		list = append(list, w.graphRoad(t, *g, r))
	}
	if a := t.Sources.Activity; a != nil {
		list = append(list, w.activityRoad(t, *a, r))
	}
	for _, e := range t.Sources.EventHub {
		list = append(list, w.hubRoad(t, e, r))
	}
	for _, x := range t.Sources.Storage {
		list = append(list, w.storageRoad(t, x))
	}
	for _, x := range t.Sources.Logs {
		list = append(list, w.workspaceRoad(t, x, r))
	}
	for _, f := range t.Folders {
		list = append(list, w.folderRoad(t, f))
	}
	return list
}

// folderRoad is a folder that people or programs put files into. Its silence means
// nothing.
func (w *workspace) folderRoad(t config.Tenant, f config.Folder) road {
	return road{name: "folder:" + f.Path, open: func(ingest.Observer) (ingest.Source, error) {
		return ingest.NewFolder(f.Path, ingest.FolderOptions{
			Decoder: ingest.DecoderOptions{Provenance: glassward.File, Table: f.Table, Tenant: t.ID, Now: w.d.now},
			Poll:    time.Duration(f.Every),
			Problem: func(path string, err error) {
				if err == nil {
					w.d.sourceIsWell(w.ctx, w, path)
					return
				}
				w.d.reportSource(w.ctx, w, path, err)
			},
		})
	}}
}

// streamsOf gives the lists of Graph that a name in the configuration means, with
// the questions about the declared accounts that go with them.
var streamsOf = map[string][]graph.Stream{
	"signIns":                 {graph.InteractiveSignIns, graph.DeclaredUsers},
	"nonInteractiveSignIns":   {graph.NonInteractiveSignIns, graph.DeclaredUsers},
	"servicePrincipalSignIns": {graph.ServicePrincipalSignIns, graph.DeclaredServicePrincipals},
	"managedIdentitySignIns":  {graph.ManagedIdentitySignIns},
	"directoryAudits":         {graph.DirectoryAudits, graph.DeclaredAudits},
	"provisioning":            {graph.Provisioning},
	"riskDetections":          {graph.RiskDetections},
	"riskyUsers":              {graph.RiskyUsers},
}

// graphRoad is the road by Microsoft Graph.
func (w *workspace) graphRoad(t config.Tenant, g config.GraphSource, r *reach) road {
	names := g.Streams
	if len(names) == 0 {
		names = config.Streams()
	}
	var streams []graph.Stream
	var tables []string
	for _, name := range names {
		for _, s := range streamsOf[name] {
			if !slices.Contains(streams, s) {
				streams = append(streams, s)
			}
			if s.Declared() {
				continue
			}
			for _, table := range s.Tables() {
				if !slices.Contains(tables, table) {
					tables = append(tables, table)
				}
			}
		}
	}
	var accounts graph.Accounts
	for _, a := range t.EmergencyAccounts {
		if a.Kind == "servicePrincipal" {
			accounts.ServicePrincipals = append(accounts.ServicePrincipals, a.ObjectID)
		} else {
			accounts.Users = append(accounts.Users, a.ObjectID)
		}
	}
	return road{name: graphName, tables: tables, sameIDs: true, open: func(o ingest.Observer) (ingest.Source, error) {
		if r == nil {
			return nil, errNoReach
		}
		return graph.New(graph.Options{
			Tenant: t.ID, Client: r.client(entra.Graph), Streams: streams, Accounts: accounts, First: time.Duration(g.Since),
			Tail: func(s graph.Stream) time.Duration { return w.tail(graphName, s.Tables()) }, Keep: r.keeps, Observe: o, Now: w.d.now,
		})
	}}
}

// activityRoad is the road by the Office 365 Management Activity API. Its records
// have an id space of their own, so they cannot be awaited on another road.
func (w *workspace) activityRoad(t config.Tenant, a config.ActivitySource, r *reach) road {
	contents := a.ContentTypes
	if len(contents) == 0 {
		contents = activity.Usual()
	}
	var tables []string
	for _, c := range contents {
		for _, table := range activity.Tables(c) {
			if !slices.Contains(tables, table) {
				tables = append(tables, table)
			}
		}
	}
	return road{name: activityName, tables: tables, open: func(o ingest.Observer) (ingest.Source, error) {
		if r == nil {
			return nil, errNoReach
		}
		return activity.New(activity.Options{Tenant: t.ID, Client: r.client(entra.Activity), Contents: contents, Observe: o, Now: w.d.now})
	}}
}

// hubRoad is the road by an Event Hubs namespace. What a diagnostic setting sends
// there nobody can know beforehand: hubs that are named tell which tables are
// expected, for the others it is sign-ins and audits.
func (w *workspace) hubRoad(t config.Tenant, e config.EventHubSource, r *reach) road {
	return road{name: "eventhub:" + e.Namespace, tables: entraTables, sameIDs: true, open: func(o ingest.Observer) (ingest.Source, error) {
		options := eventhub.Options{Tenant: t.ID, Namespace: e.Namespace, Hubs: e.Hubs, ConnectionString: e.ConnectionString, Dial: w.d.o.Network.Dial, Observe: o, Now: w.d.now}
		switch {
		case r == nil:
			return nil, errNoReach
		case e.ConnectionString == "":
			options.Credential = r.credential
		}
		if r.authority != nil {
			options.TLS = &tls.Config{RootCAs: r.authority}
		}
		return eventhub.New(options)
	}}
}

// storageRoad is the road by the export of a storage account.
func (w *workspace) storageRoad(t config.Tenant, x config.StorageSource) road {
	return road{name: "storage:" + x.Path, tables: entraTables, sameIDs: true, open: func(o ingest.Observer) (ingest.Source, error) {
		return storage.New(storage.Options{Tenant: t.ID, Folder: x.Path, Poll: time.Duration(x.Every), Observe: o, Now: w.d.now})
	}}
}

// workspaceRoad is the road by a Log Analytics workspace. A table that nobody
// named and that the workspace lacks is nothing to be told of.
func (w *workspace) workspaceRoad(t config.Tenant, x config.WorkspaceSource, r *reach) road {
	tables := x.Tables
	if len(tables) == 0 {
		tables = entraTables
	}
	return road{name: "workspace:" + x.ID, tables: tables, sameIDs: true, open: func(o ingest.Observer) (ingest.Source, error) {
		if r == nil {
			return nil, errNoReach
		}
		observe := o
		if len(x.Tables) == 0 {
			observe = func(report ingest.Report) {
				var gone *logs.AbsentError
				if errors.As(report.Fault, &gone) {
					w.log.Info("the workspace lacks a table", "workspace", x.ID, "table", gone.Table)
					return
				}
				o(report)
			}
		}
		return logs.New(logs.Options{Tenant: t.ID, Workspace: x.ID, Client: r.client(entra.LogAnalytics), Tables: tables, Every: time.Duration(x.Every), Observe: observe, Now: w.d.now})
	}}
}

// entraTables are what a full road brings: sign-ins and audits. A table of which
// none ever comes alarms nobody.
var entraTables = []string{
	"SigninLogs", "AADNonInteractiveUserSignInLogs", "AADServicePrincipalSignInLogs", "AADManagedIdentitySignInLogs", "AuditLogs",
}

// tail gives how late the records of a road are known to come, so that each look
// reaches back far enough; 0 where that is not known.
func (w *workspace) tail(road string, tables []string) time.Duration {
	var most time.Duration
	for _, s := range w.lag.Status(w.d.now()) {
		if s.Road == road && s.Learned && slices.Contains(tables, s.Table) {
			// Twice the 99th percentile stands for what one in a thousand exceeds.
			most = max(most, 2*s.Lag.P99)
		}
	}
	return most
}

// errNoReach is why a road that needs the tenant's services cannot be travelled;
// travel has told what is wrong.
var errNoReach = errors.New("the tenant's application cannot be used: see the alarm about it")

// Roads gives the names of the roads that a tenant's file configures.
func Roads(t config.Tenant) []string {
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
