package activity

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"glassward"
	"glassward/entra"
	"glassward/ingest"
)

// The content types. DLP needs a permission of its own, ActivityFeed.ReadDlp.
const (
	AzureActiveDirectory = "Audit.AzureActiveDirectory"
	Exchange             = "Audit.Exchange"
	SharePoint           = "Audit.SharePoint"
	General              = "Audit.General"
	DLP                  = "DLP.All"
)

// Usual gives the content types that are read where none are named: sign-ins and
// changes of the directory, risk detections, and the log of Exchange, which holds
// the record of who switched auditing off. SharePoint's is most of the volume and
// says nothing about accounts.
func Usual() []string { return []string{AzureActiveDirectory, General, Exchange} }

// Tables gives the tables that a content type fills, nil if there is no such type.
func Tables(content string) []string {
	switch content {
	case AzureActiveDirectory:
		return []string{"SigninLogs", "AuditLogs"}
	case General:
		return []string{"AADUserRiskEvents", "OfficeActivity"}
	case Exchange, SharePoint, DLP:
		return []string{"OfficeActivity"}
	}
	return nil
}

// Missing names the columns of a table that this road can never fill, nil where
// any may be filled or where it fills no row of the table. A rule that reads one
// of them knows nothing by this road, which is not the same as no.
func Missing(table string) []string { return ingest.Unfilled(ingest.Management, table) }

// Options say what is read.
type Options struct {
	// Tenant is the tenant's id, a GUID. Records of others are refused.
	Tenant string
	// Client asks the Management Activity API for this tenant.
	Client *entra.Client
	// Contents are the content types, Usual if empty.
	Contents []string
	// Publisher identifies who wrote the program, by a tenant's id: callers without
	// one share one quota. Empty is the tenant's own id, as the service wants it of
	// who runs his own.
	Publisher string
	// Observe hears how the streams fare; a stream is a content type.
	Observe ingest.Observer
	// Now gives the time, time.Now if nil.
	Now func() time.Time
}

// A Source reads one tenant's content until it is stopped.
type Source struct {
	o      Options
	client client
}

// A client asks the service; *entra.Client is one.
type client interface {
	Do(ctx context.Context, method, url string, header http.Header, body []byte) (*entra.Answer, error)
	Offset() time.Duration
}

// New makes a Source. The error says what is missing or unknown.
func New(o Options) (*Source, error) {
	if !glassward.IsGUID(o.Tenant) {
		return nil, fmt.Errorf("the Management Activity API needs the tenant's id, a GUID; %q is none", o.Tenant)
	}
	if o.Client == nil {
		return nil, fmt.Errorf("the Management Activity API of tenant %s needs a client", o.Tenant)
	}
	if o.Publisher == "" {
		o.Publisher = o.Tenant
	}
	if !glassward.IsGUID(o.Publisher) {
		return nil, fmt.Errorf("the publisher %q is no GUID: leave it empty, or give the id of a tenant", o.Publisher)
	}
	if len(o.Contents) == 0 {
		o.Contents = Usual()
	}
	for i, content := range o.Contents {
		if Tables(content) == nil {
			return nil, fmt.Errorf("there is no content type %q; there are %s, %s, %s, %s and %s", content, AzureActiveDirectory, Exchange, SharePoint, General, DLP)
		}
		if slices.Contains(o.Contents[:i], content) {
			return nil, fmt.Errorf("the content type %s is named twice", content)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Source{o: o, client: o.Client}, nil
}

// Name gives "activity:" and the tenant's id.
func (s *Source) Name() string { return "activity:" + strings.ToLower(s.o.Tenant) }

// Run reads until ctx ends or emit fails. The content types are read side by
// side, each with a cursor of its own.
func (s *Source) Run(ctx context.Context, cursors ingest.Cursors, emit ingest.Emit) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, content := range s.o.Contents {
		st := &stream{Source: s, content: content, emit: emit}
		group.Go(func() error { return ingest.Guard(func() error { return st.run(ctx, cursors) }) })
	}
	return group.Wait()
}

// address gives the address of a call below the tenant's feed. Every call names
// the publisher.
func (s *Source) address(call string, query url.Values) string {
	if query == nil {
		query = url.Values{}
	}
	query.Set("PublisherIdentifier", s.o.Publisher)
	return "/api/v1.0/" + s.o.Tenant + "/activity/feed/" + call + "?" + query.Encode()
}

// follow makes of a link that the service gave the address to be asked. It must
// lead to the feed of our tenant; that it leads to our service is for the client
// to see.
func (s *Source) follow(link string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(link))
	if err == nil {
		// The service writes "v1" for "v1.0" in some of its own links.
		parts := strings.SplitN(strings.TrimPrefix(u.Path, "/"), "/", 6)
		if len(parts) < 6 || !strings.EqualFold(parts[0], "api") || !strings.EqualFold(parts[2], s.o.Tenant) ||
			!strings.EqualFold(parts[3]+"/"+parts[4], "activity/feed") || !strings.HasPrefix(strings.ToLower(parts[1]), "v1") {
			err = fmt.Errorf("a link that does not lead to the feed of tenant %s", s.o.Tenant)
		}
	}
	if err != nil {
		return "", s.contentFault("follow a link", "the service gave "+err.Error())
	}
	query := u.Query()
	if !hasKey(query, "PublisherIdentifier") {
		// Added at the end: what the service wrote stays as it is.
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += "PublisherIdentifier=" + s.o.Publisher
	}
	return u.String(), nil
}

func hasKey(query url.Values, key string) bool {
	for k := range query {
		if strings.EqualFold(k, key) {
			return true
		}
	}
	return false
}

func (s *Source) contentFault(doing, message string) *entra.Fault {
	return &entra.Fault{Kind: entra.FaultContent, Service: string(entra.Activity), Doing: doing, Message: message}
}

// serverNow is the time by the service's clock, as far as it is known.
func (s *Source) serverNow() time.Time { return s.o.Now().Add(s.client.Offset()).UTC() }
