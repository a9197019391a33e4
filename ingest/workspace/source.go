package workspace

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"glassward"
	"glassward/entra"
	"glassward/ingest"
	"glassward/schema"
)

// Usual gives the tables that are read where none are named.
func Usual() []string {
	return []string{
		"SigninLogs", "AADNonInteractiveUserSignInLogs", "AADServicePrincipalSignInLogs", "AADManagedIdentitySignInLogs",
		"AuditLogs", "AADUserRiskEvents", "AADRiskyUsers",
	}
}

// Options say what is read.
type Options struct {
	// Tenant is the tenant's id. Records of others are refused.
	Tenant string
	// Workspace is the id of the workspace, a GUID; several workspaces are several
	// sources.
	Workspace string
	// Client asks Log Analytics for this tenant.
	Client *entra.Client
	// Tables are what is read, Usual if empty.
	Tables []string
	// Every is the time between two questions for a table, one minute if 0.
	Every time.Duration
	// First is how far back a table that was never read begins, 7 days if 0.
	First time.Duration
	// Observe hears how the streams fare; a stream is a table.
	Observe ingest.Observer
	// Now gives the time, time.Now if nil.
	Now func() time.Time
}

// A Source reads one workspace until it is stopped.
type Source struct {
	o      Options
	client client
	turn   chan struct{} // of the questions that may be asked at once
}

// A client asks the service; *entra.Client is one.
type client interface {
	Do(ctx context.Context, method, url string, header http.Header, body []byte) (*entra.Answer, error)
	Offset() time.Duration
}

// The service answers five questions of one user at once. Others of his want to
// ask too.
const atOnce = 2

// New makes a Source. The error says what is missing or unknown.
func New(o Options) (*Source, error) {
	if !glassward.IsGUID(o.Workspace) {
		return nil, fmt.Errorf("the workspace needs its id, a GUID (Overview, Workspace ID); %q is none", o.Workspace)
	}
	if !glassward.IsGUID(o.Tenant) {
		return nil, fmt.Errorf("workspace %s needs the tenant's id, a GUID; %q is none", o.Workspace, o.Tenant)
	}
	if o.Client == nil {
		return nil, fmt.Errorf("workspace %s needs a client", o.Workspace)
	}
	if len(o.Tables) == 0 {
		o.Tables = Usual()
	}
	o.Tables = slices.Clone(o.Tables)
	for i, name := range o.Tables {
		t, ok := schema.Lookup(name)
		if !ok || t.Internal {
			return nil, fmt.Errorf("there is no table %q that can be read from a workspace", name)
		}
		// The name goes into a query as it stands in our own list.
		o.Tables[i] = t.Name
		if slices.Contains(o.Tables[:i], t.Name) {
			return nil, fmt.Errorf("the table %s is named twice", t.Name)
		}
	}
	if o.Every <= 0 {
		o.Every = time.Minute
	}
	if o.First <= 0 {
		o.First = 7 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Source{o: o, client: o.Client, turn: make(chan struct{}, atOnce)}, nil
}

// Name gives "workspace:" and the workspace's id.
func (s *Source) Name() string { return "workspace:" + strings.ToLower(s.o.Workspace) }

// Run reads until ctx ends or emit fails. The tables are read side by side, each
// with a cursor of its own.
func (s *Source) Run(ctx context.Context, cursors ingest.Cursors, emit ingest.Emit) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, table := range s.o.Tables {
		st := &stream{Source: s, table: table, emit: emit}
		group.Go(func() error { return ingest.Guard(func() error { return st.run(ctx, cursors) }) })
	}
	return group.Wait()
}

// serverNow is the time by the service's clock, as far as it is known.
func (s *Source) serverNow() time.Time { return s.o.Now().Add(s.client.Offset()).UTC() }
