package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"

	"glassward/console/limit"
	"glassward/kql"
)

// CallbackPath is where providers call.
const CallbackPath = "/callbacks/{provider}/{what...}"

// A customer is who a request's queries wait as: the account, empty for one that is held to
// no limit, and the path of the route; pushes says that it brings records.
type customer struct {
	account, route string
	pushes         bool
	turn           *turn
}

// A turn is whether a request has asked something; see limit.Book.Begin. However many queries
// it has, it counts as one.
type turn struct {
	mu  sync.Mutex
	end func()
}

// begin waits until the request may ask.
func (x *turn) begin(ctx context.Context, book *limit.Book, c customer) (err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.end == nil {
		x.end, err = book.Begin(ctx, c.route, cmp.Or(c.account, limit.Unbounded))
	}
	return err
}

// answered says that the request's answer is written.
func (x *turn) answered() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.end != nil {
		x.end()
	}
}

type customerKey struct{}

// throttled says to a caller that it is over a limit, in the form of the Log Analytics
// API; every other error is ours.
func throttled(err error) *apiError {
	var r *limit.Refusal
	switch {
	case errors.As(err, &r):
		return &apiError{status: http.StatusTooManyRequests, code: "ThrottledError", message: r.Text + "; come again when Retry-After says",
			retryAfter: max(1, int(math.Ceil(r.After.Seconds())))}
	case errors.Is(err, ErrThrottled):
		return &apiError{status: http.StatusTooManyRequests, code: "ThrottledError", message: err.Error(), retryAfter: 5}
	}
	return internal(err)
}

// account counts a request that admit let in, or did not (refused): of who showed what
// holds under his name, whether or not it was enough; of everybody else under his address.
// Nobody is refused for what others send from the same address as long as what he shows
// holds: behind a proxy all come from one. It gives the error with which the request
// ends, nil if it goes on.
func (s *Server) account(r *http.Request, route Route, c call, refused *apiError) *apiError {
	var over error
	switch who := c.grant.account; {
	case route.Scope == Link && refused != nil:
		over = s.o.Limits.Stranger(route.Path, r.RemoteAddr)
	case who != "" && route.Scope == Ingest && refused == nil:
		over = s.o.Limits.Push(route.Path, who)
	case who != "":
		over = s.o.Limits.Request(route.Path, who)
	case c.grant.owner || grantOf(r.Context()).Name != "":
	case shown(route): // see reckoned
	default:
		over = s.o.Limits.Stranger(route.Path, r.RemoteAddr)
	}
	if over != nil {
		return throttled(over)
	}
	return refused
}

// shown says whether who calls shows in the body what he is.
func shown(route Route) bool {
	return route.Path == CallbackPath || route.Path == tokenPath || route.Path == tokenV2Path
}

// reckoned counts what became of a request: a body that was too large, and a callback or a
// sign-in that was refused. Who shows in the body what he is, by a signature or a token, is let
// in whatever others send from where he calls; who does not is counted under his address.
func (s *Server) reckoned(r *http.Request, route Route, c call, answer *apiError) *apiError {
	if answer == nil {
		return nil
	}
	if answer.status == http.StatusRequestEntityTooLarge {
		s.o.Limits.TooLarge(route.Path, c.grant.account)
	}
	if shown(route) && answer.status < http.StatusInternalServerError && answer.status != http.StatusTooManyRequests {
		if over := s.o.Limits.Stranger(route.Path, r.RemoteAddr); over != nil {
			return throttled(over)
		}
	}
	return answer
}

// metered notes on whose account a request is worked on, and counts what comes of a body
// that is pushed. answered has to be called when the answer is written.
func (s *Server) metered(r *http.Request, route Route, c call) (metered *http.Request, answered func()) {
	asks := &turn{}
	r = r.WithContext(context.WithValue(r.Context(), customerKey{}, customer{c.grant.account, route.Path, route.Scope == Ingest, asks}))
	if r.Body != nil {
		r.Body = struct {
			io.Reader
			io.Closer
		}{s.charged(r, r.Body), r.Body}
	}
	return r, asks.answered
}

// charged counts what is read of a request's body, packed or unpacked, where it brings
// records.
func (s *Server) charged(r *http.Request, body io.Reader) io.Reader {
	c, _ := r.Context().Value(customerKey{}).(customer)
	if c.account == "" || !c.pushes {
		return body
	}
	return &meter{body, s.o.Limits, c.account}
}

type meter struct {
	r    io.Reader
	book *limit.Book
	who  string
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.book.Charge(m.who, n)
	return n, err
}

// maxBody is how many bytes a body may have.
func (s *Server) maxBody(g Grant) int64 { return s.o.Limits.Limits(g.account).Body }

// inTurn has queries wait for their callers' turns.
type inTurn struct {
	Workspaces
	book *limit.Book
}

// Query waits for a place and asks. Its error wraps ErrThrottled where the caller has too
// many queries waiting, or one has waited too long.
func (w inTurn) Query(ctx context.Context, tenant string, q Question) (*kql.Result, error) {
	leave, err := enter(ctx, w.book, tenant)
	if err != nil {
		return nil, err
	}
	defer leave()
	return w.Workspaces.Query(ctx, tenant, q)
}

// enter waits for a place for a query of whoever the request is from.
func enter(ctx context.Context, book *limit.Book, tenant string) (leave func(), err error) {
	c, _ := ctx.Value(customerKey{}).(customer)
	if c.turn != nil {
		err = c.turn.begin(ctx, book, c)
	}
	if err == nil {
		leave, err = book.Enter(ctx, c.route, cmp.Or(c.account, limit.Unbounded), tenant)
	}
	var r *limit.Refusal
	if errors.As(err, &r) {
		return nil, fmt.Errorf("%w: %w", ErrThrottled, r)
	}
	return leave, err
}
