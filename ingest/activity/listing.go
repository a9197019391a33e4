package activity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"glassward/entra"
	"glassward/ingest"
)

// The service's limits, with a margin: one listing spans at most a day and goes
// back at most seven.
const (
	longest   = 24 * time.Hour
	keeps     = 7 * 24 * time.Hour
	margin    = 5 * time.Minute
	maxPages  = 2000
	timestamp = "2006-01-02T15:04:05"
)

// A blob is one piece of content as it is listed.
type blob struct {
	key     key
	id      string
	uri     string
	created time.Time
	expires time.Time // zero if it does not say
}

// A window is a span of availability, from inclusive, to exclusive.
type window struct{ from, to time.Time }

// windows cuts a span of whole seconds into parts that the service lists, the
// oldest first.
func windows(from, to time.Time) []window {
	var all []window
	for ; from.Before(to); from = from.Add(longest) {
		end := from.Add(longest)
		if end.After(to) {
			end = to
		}
		all = append(all, window{from, end})
	}
	return all
}

// list gives every blob of a window. A window that was not listed to its last
// page is an error, whatever was read of it.
func (s *stream) list(ctx context.Context, w window) ([]blob, error) {
	next := s.address("subscriptions/content", url.Values{
		"contentType": {s.content}, "startTime": {w.from.Format(timestamp)}, "endTime": {w.to.Format(timestamp)},
	})
	var all []blob
	seen := map[string]bool{next: true}
	for page := 1; ; page++ {
		answer, err := s.client.Do(ctx, http.MethodGet, next, nil, nil)
		if err != nil {
			return nil, err
		}
		var entries []struct {
			ContentType       string `json:"contentType"`
			ContentID         string `json:"contentId"`
			ContentURI        string `json:"contentUri"`
			ContentCreated    string `json:"contentCreated"`
			ContentExpiration string `json:"contentExpiration"`
		}
		if err := readArray(answer.Body, &entries); err != nil {
			return nil, s.contentFault("list "+s.content, err.Error())
		}
		for _, e := range entries {
			if e.ContentID == "" || e.ContentURI == "" {
				return nil, s.contentFault("list "+s.content, "a list names content without an id or an address")
			}
			b := blob{key: keyOf(e.ContentID), id: e.ContentID, uri: e.ContentURI}
			created, ok := ingest.ParseTime(e.ContentCreated)
			if b.created = created.Time().UTC(); !ok {
				b.created = w.to
			}
			if expires, ok := ingest.ParseTime(e.ContentExpiration); ok {
				b.expires = expires.Time().UTC()
			}
			all = append(all, b)
		}
		link := nextPage(answer.Header)
		switch {
		case link == "":
			return all, nil
		case page == maxPages:
			return nil, s.contentFault("list "+s.content, fmt.Sprintf("a list of more than %d pages", maxPages))
		}
		if next, err = s.follow(link); err != nil {
			return nil, err
		}
		if seen[next] {
			return nil, s.contentFault("list "+s.content, "a page of the list leads back to one that was read")
		}
		seen[next] = true
	}
}

// nextPage gives the address of a list's next page: the header is NextPageUri in
// the reference and NextPageUrl in samples, in any case.
func nextPage(h http.Header) string {
	for name, values := range h {
		if (strings.EqualFold(name, "NextPageUri") || strings.EqualFold(name, "NextPageUrl")) && len(values) > 0 {
			if link := strings.TrimSpace(values[0]); link != "" {
				return link
			}
		}
	}
	return ""
}

// fetch gives the body of a blob.
func (s *stream) fetch(ctx context.Context, b blob) ([]byte, error) {
	address, err := s.follow(b.uri)
	if err != nil {
		return nil, err
	}
	answer, err := s.client.Do(ctx, http.MethodGet, address, nil, nil)
	if err != nil {
		return nil, err
	}
	if body := trim(answer.Body); len(body) == 0 || body[0] != '[' {
		return nil, s.contentFault("read content "+b.id, "the content is no list of records")
	}
	if !json.Valid(trim(answer.Body)) {
		return nil, s.contentFault("read content "+b.id, "the content is no JSON")
	}
	return answer.Body, nil
}

func trim(body []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
}

// readArray decodes a body that is an array.
func readArray(body []byte, into any) error {
	body = trim(body)
	if len(body) == 0 || body[0] != '[' {
		return errors.New("the answer is no list")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the answer is no list of what was asked: %w", err)
	}
	return nil
}

// codeOf gives the service's own word for a fault.
func codeOf(err error) string {
	var f *entra.Fault
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

// kindOf gives the kind of a fault, Outage for what is none.
func kindOf(err error) entra.FaultKind {
	var f *entra.Fault
	if errors.As(err, &f) {
		return f.Kind
	}
	return entra.FaultOutage
}
