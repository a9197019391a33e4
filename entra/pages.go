package entra

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxPages bounds one chain of pages. A window that needs more is cut smaller;
// a service that turns in circles is left.
const maxPages = 2000

// A Page is one page of a list.
type Page struct {
	Answer                   // the page as it came
	Value  []json.RawMessage // its entries, each as it came; there may be none
	Next   string            // the link to the next page, empty on the last
	Last   bool              // the list ends here
}

// Pages follows a list from its first address to its end: OData's
// @odata.nextLink, Resource Manager's nextLink, and the NextPageUri header of the
// Activity API, whose pages are bare arrays. The header goes with each page,
// because links do not carry it. A list is read to its end only if a page with
// Last was given; any fault ends it before, with the fault as the error:
// a link that was followed already or leads elsewhere, a page without entries'
// place, too many pages, and whatever Get gives. A page may be empty and still
// have a next one.
func (c *Client) Pages(ctx context.Context, first string, header http.Header) iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) {
		start, fault := c.resolve(first)
		if fault != nil {
			yield(nil, fault)
			return
		}
		seen := map[string]bool{start.String(): true}
		for next, n := start.String(), 1; ; n++ {
			answer, err := c.Get(ctx, next, header)
			if err != nil {
				yield(nil, err)
				return
			}
			page, f := readPage(c.o.Service, answer)
			if f == nil && page.Next != "" {
				f = c.follow(start, seen, page.Next, n)
			}
			if f != nil {
				f.Kind, f.Service, f.Doing, f.Status = FaultContent, string(c.o.Service), "read "+start.Path, answer.Status
				yield(nil, f)
				return
			}
			if !yield(page, nil) || page.Last {
				return
			}
			next = page.Next
		}
	}
}

// readPage takes a page apart. Its faults have a code and a message only.
func readPage(service Service, a *Answer) (*Page, *Fault) {
	p := &Page{Answer: *a}
	body := bytes.TrimSpace(trimBOM(a.Body))
	if service == Activity {
		if json.Unmarshal(body, &p.Value) != nil || p.Value == nil {
			return nil, &Fault{Code: codeNoValue, Message: "a page that is not a list"}
		}
		// The documentation has both names.
		for _, name := range []string{"NextPageUri", "NextPageUrl"} {
			if link := a.Header.Get(name); link != "" {
				p.Next = link
				break
			}
		}
		p.Last = p.Next == ""
		return p, nil
	}
	var list struct {
		Value json.RawMessage `json:"value"`
		OData *string         `json:"@odata.nextLink"`
		Plain *string         `json:"nextLink"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, &Fault{Code: codeNotJSON, Message: "a page that is not JSON", Err: err}
	}
	if json.Unmarshal(list.Value, &p.Value) != nil || p.Value == nil {
		return nil, &Fault{Code: codeNoValue, Message: "a page without the field value"}
	}
	for _, link := range []*string{list.OData, list.Plain} {
		if link != nil && *link != "" {
			p.Next = *link
			break
		}
	}
	p.Last = p.Next == ""
	return p, nil
}

// follow sees whether a link may be followed, and remembers it.
func (c *Client) follow(start *url.URL, seen map[string]bool, link string, n int) *Fault {
	u, fault := c.resolve(link)
	switch {
	case fault != nil:
		return &Fault{Code: codeElsewhere, Message: "the next page is said to be at " + line(hostOf(link), 100) + ", which is not the service"}
	case !samePath(c.o.Service, start.Path, u.Path):
		return &Fault{Code: codeElsewhere, Message: "the next page is said to be at the path " + line(u.Path, 100) + ", which is another list"}
	case seen[u.String()]:
		return &Fault{Code: codeRepeated, Message: fmt.Sprintf("page %d points to a page that was read already", n)}
	case n >= maxPages:
		return &Fault{Code: codeTooMany, Message: fmt.Sprintf("more than %d pages", maxPages)}
	}
	seen[u.String()] = true
	return nil
}

// samePath compares paths without regard to case. The Activity API's links may
// say v1 where the request said v1.0; the tenant in them must be the same.
func samePath(service Service, a, b string) bool {
	if service == Activity {
		version := func(p string) string {
			parts := strings.Split(p, "/")
			if i := slices.Index(parts, "api"); i >= 0 && i+1 < len(parts) && strings.TrimSuffix(parts[i+1], ".0") == "v1" {
				parts[i+1] = "v1.0"
			}
			return strings.Join(parts, "/")
		}
		a, b = version(a), version(b)
	}
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}
