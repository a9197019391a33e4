package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"glassward/directory/part"
	"glassward/entra"
)

const (
	batchSize = 20 // as many as a $batch may hold
	// inFlight is how many batches are asked at once. Each of their requests counts
	// against the tenant's quota; more would only be refused sooner.
	inFlight = 4
)

// A response is one of a $batch.
type response struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body"`
}

// objects reads a part that is asked for object by object. Where it is not told when people
// last signed in, the rest of them may be.
func (r *reader) objects(ctx context.Context, q request, f *part.File) (*part.Trouble, error) {
	t, err := r.each(ctx, q, f)
	if err != nil || t == nil || f.Documents > 0 || !strings.Contains(q.path, activityField) {
		return t, err
	}
	lesser := &part.Trouble{Reason: "signInActivity was not read: " + t.Reason, Unasked: true}
	if t.Permission != "" {
		lesser.Permission = activityPermission
	}
	q.path = strings.Replace(q.path, activityField, "", 1)
	f.Request = q.said()
	if t, err = r.each(ctx, q, f); t == nil && err == nil {
		t = lesser
	}
	return t, err
}

// each asks for objects, many in one request.
func (r *reader) each(ctx context.Context, q request, f *part.File) (*part.Trouble, error) {
	ids, from := r.known.objects(q.each, r.o)
	var source *part.Trouble
	if from != "" {
		if p := r.known.readings[from]; p.Read == nil {
			return &part.Trouble{Reason: fmt.Sprintf("%s were not read: %s", from, p.Reason), Permission: p.Permission}, nil
		} else if p.Incomplete && !Restricted(p) {
			source = &part.Trouble{Reason: fmt.Sprintf("%s were not read whole: %s", from, p.Reason), Permission: p.Permission}
		}
	}
	if len(ids) == 0 {
		return source, f.Write([]byte(`{"responses":[]}`))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &collector{q: q, f: f, of: len(ids), hidden: r.known.hidden, progress: func(n int) { r.o.Progress(q.part, n, len(ids)) }}
	jobs := make(chan []string)
	var workers sync.WaitGroup
	for range min(inFlight, (len(ids)+batchSize-1)/batchSize) {
		workers.Go(func() {
			for some := range jobs {
				if err := r.batch(ctx, q, some, c); err != nil {
					c.stop(err)
					cancel()
				}
			}
		})
	}
feed:
	for i := 0; i < len(ids); i += batchSize {
		select {
		case jobs <- ids[i:min(i+batchSize, len(ids))]:
		case <-ctx.Done():
			break feed
		}
		if c.hopeless() {
			break
		}
	}
	close(jobs)
	workers.Wait()
	t, err := c.trouble()
	if err != nil && !errors.Is(err, errWrite) {
		var why *part.Trouble
		if why, err = r.troubleOf(context.WithoutCancel(ctx), q, err); why != nil {
			why.Reason = fmt.Sprintf("%d of %d could be read: %s", c.answered, c.of, why.Reason)
			t = why
		}
	}
	if t == nil {
		t = source
	}
	return t, err
}

var errWrite = errors.New("the snapshot cannot be written")

// batch asks for some objects until each has an answer that stands.
func (r *reader) batch(ctx context.Context, q request, ids []string, c *collector) error {
	address := "/v1.0/$batch"
	if q.beta {
		address = "/beta/$batch"
	}
	b := part.Backoff()
	for len(ids) > 0 {
		type one struct {
			ID     string `json:"id"`
			Method string `json:"method"`
			URL    string `json:"url"`
		}
		var body struct {
			Requests []one `json:"requests"`
		}
		for _, id := range ids {
			body.Requests = append(body.Requests, one{id, http.MethodGet, strings.ReplaceAll(q.path, "{id}", id)})
		}
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		answer, err := r.o.Graph.Do(ctx, http.MethodPost, address, nil, text)
		if err != nil {
			if part.Again(ctx, err, b) {
				continue
			}
			return err
		}
		var said struct{ Responses []response }
		if err := json.Unmarshal(answer.Body, &said); err != nil {
			return &entra.Fault{Kind: entra.FaultContent, Service: string(entra.Graph), Doing: "read " + address, Status: answer.Status, Code: "NotJSON", Message: "an answer to a $batch that is none"}
		}
		waiting := map[string]bool{}
		for _, id := range ids {
			waiting[id] = true
		}
		var keep []response
		// A fault stands for what is to be asked again, so that it is waited for as for
		// any other.
		later := &entra.Fault{Kind: entra.FaultOutage, Status: http.StatusServiceUnavailable, Code: "Unanswered", Message: "the batch left requests unanswered"}
		last := b.Failures() >= part.Tries-1
		for _, x := range said.Responses {
			x.ID = strings.ToLower(x.ID)
			if !waiting[x.ID] {
				continue
			}
			if (x.Status == http.StatusTooManyRequests || x.Status >= 500) && !last {
				h := http.Header{}
				for k, v := range x.Headers {
					h.Set(k, v)
				}
				later.RetryAfter = max(later.RetryAfter, entra.RetryAfter(h, r.o.Now()))
				continue
			}
			delete(waiting, x.ID)
			keep = append(keep, x)
		}
		if err := c.take(keep); err != nil {
			return err
		}
		for _, x := range keep {
			if err := r.more(ctx, x, c); err != nil {
				return err
			}
		}
		ids = slices.Sorted(maps.Keys(waiting))
		if len(ids) > 0 && !part.Again(ctx, later, b) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			c.miss(len(ids), later.Message)
			return nil
		}
	}
	return nil
}

// more reads the pages of an object's list that follow the first. Where they cannot
// be read, the last page that is there says that there are more.
func (r *reader) more(ctx context.Context, x response, c *collector) error {
	var page struct {
		Next string `json:"@odata.nextLink"`
	}
	if x.Status != http.StatusOK || json.Unmarshal(x.Body, &page) != nil || page.Next == "" {
		return nil
	}
	seen := map[string]bool{page.Next: true}
	for next, b := page.Next, part.Backoff(); ; {
		err := error(nil)
		for p, fault := range r.o.Graph.Pages(ctx, next, nil) {
			if fault != nil {
				err = fault
				break
			}
			if err := c.follow(response{ID: x.ID, Status: http.StatusOK, Body: p.Body}); err != nil {
				return err
			}
			if p.Last {
				return nil
			}
			b.Reset()
			if next = p.Next; seen[next] {
				c.miss(1, "the pages of "+x.ID+" turn in circles")
				return nil
			}
			seen[next] = true
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !part.Again(ctx, err, b) {
			var f *entra.Fault
			if !errors.As(err, &f) || f.Kind == entra.FaultToken || f.Kind == entra.FaultClock {
				return err
			}
			c.miss(1, fmt.Sprintf("the pages of %s end too early: %s %s", x.ID, f.Code, f.Message))
			return nil
		}
	}
}

// A collector takes the answers of several goroutines to the file.
type collector struct {
	q        request
	of       int
	hidden   map[string]bool
	progress func(int)

	mu       sync.Mutex
	f        *part.File
	answered int // 200
	refused  int // 403
	absent   int // anything else
	secret   int // hidden groups that seem empty
	// unlicensed says that it is the licence that was refused by, and no permission.
	unlicensed bool
	why        string
	err        error
}

// take writes the answers of a batch.
func (c *collector) take(list []response) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := list[:0:0]
	for _, x := range list {
		x.Headers = nil // they say nothing of the tenant
		switch {
		case x.Status == http.StatusOK && c.hidden[x.ID] && emptyList(x.Body):
			// Who may not see the members is shown an empty list.
			c.secret++
			continue
		case x.Status == http.StatusOK:
			c.answered++
		case x.Status == http.StatusNotFound && c.q.each > ofPeople:
			// It was named or a policy names it, and it is gone: its own part says so.
			c.answered++
		case x.Status == http.StatusForbidden:
			c.refused++
			c.note(x)
		default:
			c.absent++
			c.note(x)
		}
		kept = append(kept, x)
	}
	c.progress(c.answered + c.refused + c.absent + c.secret)
	if c.answered == 0 && c.absent == 0 {
		return nil // nothing but refusals: the part is told as refused, and not kept
	}
	return c.write(kept)
}

func (c *collector) note(x response) {
	if c.why == "" {
		var e struct {
			Error struct{ Code, Message string }
		}
		_ = json.Unmarshal(x.Body, &e) // another form leaves the status
		c.unlicensed = e.Error.Code == "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
		c.why = strings.TrimRight(fmt.Sprintf("Graph answered %d %s: %s", x.Status, e.Error.Code, e.Error.Message), ": ")
	}
}

// follow writes a page that follows others of its object.
func (c *collector) follow(x response) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write([]response{x})
}

func (c *collector) write(list []response) error {
	if len(list) == 0 {
		return nil
	}
	// The answers stand as they came; only what surrounds them is ours.
	var b bytes.Buffer
	b.WriteString(`{"responses":[`)
	for i, x := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		body := bytes.TrimSpace(x.Body)
		if len(body) == 0 {
			body = []byte("null")
		}
		fmt.Fprintf(&b, `{"id":%q,"status":%d,"body":%s}`, x.ID, x.Status, body)
	}
	b.WriteString("]}")
	if err := c.f.Write(b.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", errWrite, err)
	}
	return nil
}

func (c *collector) miss(n int, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.absent += n
	if c.why == "" {
		c.why = why
	}
}

func (c *collector) stop(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// hopeless says that everything so far was refused: the permission is missing.
func (c *collector) hopeless() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused >= batchSize && c.answered == 0
}

// trouble puts what is missing in words.
func (c *collector) trouble() (*part.Trouble, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return nil, c.err
	case c.refused > 0 && c.answered == 0 && c.absent == 0:
		t := &part.Trouble{Reason: c.why, Permission: c.q.permission}
		if c.unlicensed {
			t.Permission = ""
		}
		return t, nil
	case c.refused+c.absent > 0:
		t := &part.Trouble{Reason: fmt.Sprintf("%d of %d were not read; of the first: %s", c.refused+c.absent+c.secret, c.of, c.why)}
		if c.refused > 0 {
			t.Permission = c.q.permission
		}
		return t, nil
	case c.secret > 0:
		return &part.Trouble{Reason: fmt.Sprintf("%d groups hide their members: that their lists are empty says nothing", c.secret), Permission: "Member.Read.Hidden"}, nil
	}
	return nil, nil
}

func emptyList(body []byte) bool {
	var page struct{ Value []json.RawMessage }
	return json.Unmarshal(body, &page) == nil && len(page.Value) == 0
}
