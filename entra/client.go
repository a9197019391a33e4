package entra

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
)

// Pace is how many requests a client makes in how much time.
type Pace struct {
	Requests int
	Per      time.Duration
}

// ClientOptions say whom a client asks and as whom.
type ClientOptions struct {
	Service    Service
	Cloud      Cloud
	Credential azcore.TokenCredential
	HTTP       *http.Client
	Pace       Pace
	Header     http.Header // sent with every request
	Now        func() time.Time
}

// A Client asks one service for one tenant. All who ask there share it. It is
// safe for concurrent use.
type Client struct{ o ClientOptions }

// NewClient makes a client.
func NewClient(o ClientOptions) *Client { return &Client{o: o} }

// An Answer is what a service said, whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	URL    string
}

// A Page is one page of a list.
type Page struct {
	Answer
	Value []json.RawMessage // the entries, each as it came
	Next  string            // the link to the next page, empty on the last
	Last  bool
}

// Do asks once. What is not a 2xx answer is a *Fault.
func (c *Client) Do(ctx context.Context, method, url string, header http.Header, body []byte) (*Answer, error) {
	return nil, errors.New("entra: under construction")
}

// Get asks for a resource.
func (c *Client) Get(ctx context.Context, url string, header http.Header) (*Answer, error) {
	return c.Do(ctx, http.MethodGet, url, header, nil)
}

// Pages follows a list from its first address to its end.
func (c *Client) Pages(ctx context.Context, first string, header http.Header) iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) { yield(nil, errors.New("entra: under construction")) }
}

// Offset is the service's clock minus ours, as the last answers told it.
func (c *Client) Offset() time.Duration { return 0 }

// A Priority says who goes first when requests wait for the pace.
type Priority uint8

// The priorities.
const (
	Normal Priority = iota
	Urgent          // declared accounts
	Bulk            // back-fill
)

// WithPriority marks what is asked with this context.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

type priorityKey struct{}

// A Backoff says how long to wait after a failure: longer each time, never less
// than the service asked for. The zero value begins at ten seconds and ends at
// five minutes.
type Backoff struct {
	First, Ceiling time.Duration
	failures       int
}

// Next gives the pause after a failure.
func (b *Backoff) Next(err error) time.Duration { b.failures++; return 10 * time.Second }

// Reset forgets the failures after a success.
func (b *Backoff) Reset() { b.failures = 0 }

// Wait sleeps until the pause is over or the context ends.
func (b *Backoff) Wait(ctx context.Context, err error) error { return ctx.Err() }
