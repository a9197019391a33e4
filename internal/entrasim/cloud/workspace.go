package cloud

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"glassward/internal/entrasim"
)

// mostRows is how many rows an answer holds at most.
const mostRows = 500_000

// A row is an event as a workspace holds it, with the time at which it came.
type row struct {
	at time.Time
	seen
}

// rows are what a workspace holds of a world, by table, in order of arrival.
type rows struct {
	world  *entrasim.World
	mu     sync.Mutex
	upTo   time.Time
	tables map[string][]row
}

func newRows(w *entrasim.World) *rows {
	r := &rows{world: w, tables: map[string][]row{}}
	for _, k := range []entrasim.Kind{entrasim.InteractiveSignIn, entrasim.NonInteractiveSignIn, entrasim.ServicePrincipalSignIn, entrasim.ManagedIdentitySignIn,
		entrasim.DirectoryAudit, entrasim.Provisioning, entrasim.RiskDetection, entrasim.RiskyUser, entrasim.CloudAppEvent} {
		r.tables[k.Table()] = nil
	}
	return r
}

// knows reports whether there is a table.
func (r *rows) knows(table string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.tables[table]
	return ok
}

func (r *rows) refresh(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := earlier(now, r.world.Now())
	if !end.After(r.upTo) {
		return
	}
	for _, a := range r.world.Appearances(entrasim.Workspace, r.upTo, end) {
		t := a.Event.Kind.Table()
		r.tables[t] = append(r.tables[t], row{a.At, seen{a.Event, a.Version}})
	}
	r.upTo = end
}

// newest gives the time of the newest event of a table after a moment, or zero.
func (r *rows) newest(table string, after time.Time) (at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.tables[table] {
		if x.event.At.After(at) && x.event.At.After(after) {
			at = x.event.At
		}
	}
	return at
}

// between gives the rows of a table that came in a span of time, the end not
// included.
func (r *rows) between(table string, from, to time.Time) []row {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.tables[table]
	a := sort.Search(len(list), func(i int) bool { return !list[i].at.Before(from) })
	b := sort.Search(len(list), func(i int) bool { return !list[i].at.Before(to) })
	if b <= a {
		return nil
	}
	return slices.Clone(list[a:b])
}

// A queryFault is why a query is refused; inner are the codes and messages below
// the outer one.
type queryFault struct {
	status        int
	code, message string
	inner         [][2]string
}

func badQuery(kind, kindText, code, text string) *queryFault {
	return &queryFault{http.StatusBadRequest, "BadArgumentError", "The request had some invalid properties", [][2]string{{kind, kindText}, {code, text}}}
}

func semantic(code, format string, args ...any) *queryFault {
	return badQuery("SemanticError", "A semantic error occurred.", code, fmt.Sprintf(format, args...))
}

func syntax(text string) *queryFault {
	return badQuery("SyntaxError", "A recognition error occurred in the query.", "SYN0002", "Query could not be parsed at '"+text+"'")
}

// logAnalytics serves the query API of Log Analytics.
func (c *Cloud) logAnalytics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := c.workspaceQuery(w, r); f != nil {
			var inner any
			for i := len(f.inner) - 1; i >= 0; i-- {
				o := object{"code": f.inner[i][0], "message": f.inner[i][1]}
				if inner != nil {
					o["innererror"] = inner
				}
				inner = o
			}
			e := object{"message": f.message, "code": f.code, "correlationId": r.Header.Get(requestID)}
			if inner != nil {
				e["innererror"] = inner
			}
			answer(w, f.status, object{"error": e})
		}
	})
}

func (c *Cloud) workspaceQuery(w http.ResponseWriter, r *http.Request) *queryFault {
	k, err := c.readToken(bearer(r))
	switch {
	case err == errNoToken:
		w.Header().Set("WWW-Authenticate", `Bearer authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", resource_id="https://api.loganalytics.io"`)
		return &queryFault{status: http.StatusUnauthorized, code: "AuthorizationRequiredError", message: "Valid authentication was not provided"}
	case err == errExpiredToken || err == errRevokedToken:
		w.Header().Set("WWW-Authenticate", `Bearer authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="invalid_token"`)
		return &queryFault{http.StatusUnauthorized, "AuthenticationFailed", "The provided authentication is not valid for this resource", [][2]string{{"ExpiredTokenError", "The token is no longer valid"}}}
	case err != nil:
		return &queryFault{http.StatusForbidden, "InvalidTokenError", "The provided authentication is not valid for this resource", [][2]string{{"SignatureVerificationFailed", "Could not validate the request"}}}
	}
	t, ok := c.tenant(k.Tenant)
	if ok {
		s, found := c.service(t, k.Audience)
		ok = found && s == LogAnalytics
	}
	if !ok {
		return &queryFault{status: http.StatusForbidden, code: "InvalidAuthenticationTokenAudience", message: "The access token has been obtained for wrong audience or resource '" + k.Audience + "'."}
	}
	path := strings.Split(strings.Trim(strings.ReplaceAll(r.URL.Path, "//", "/"), "/"), "/")
	if len(path) > 0 && path[0] == "v1" {
		path = path[1:]
	}
	if len(path) != 3 || path[0] != "workspaces" || path[2] != "query" || r.Method != http.MethodPost && r.Method != http.MethodGet {
		return &queryFault{status: http.StatusNotFound, code: "PathNotFoundError", message: "The requested path does not exist"}
	}
	if wait, ok := c.pass("queries/"+k.AppID, c.o.Limits.Queries, 30*time.Second); !ok {
		c.faults.retryHeader(w.Header(), wait)
		return &queryFault{status: http.StatusTooManyRequests, code: "ThrottledError", message: "Rate limit is exceeded"}
	}
	if own := entrasim.Workspaces(t.world.Tenant().ID); !strings.EqualFold(path[1], own) {
		for _, other := range c.order {
			if strings.EqualFold(path[1], entrasim.Workspaces(other.world.Tenant().ID)) {
				return insufficient()
			}
		}
		return &queryFault{status: http.StatusNotFound, code: "PathNotFoundError", message: "The requested path does not exist"}
	}
	if c.faults.is(c.faults.denied, t.id) {
		return insufficient()
	}
	var in struct {
		Query      *string  `json:"query"`
		Timespan   string   `json:"timespan"`
		Workspaces []string `json:"workspaces"`
	}
	if r.Method == http.MethodGet {
		q := r.URL.Query().Get("query")
		in.Query, in.Timespan = &q, r.URL.Query().Get("timespan")
	} else if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in); err != nil {
		return &queryFault{status: http.StatusBadRequest, code: "BadArgumentError", message: "The request body is not valid JSON"}
	}
	if in.Query == nil || strings.TrimSpace(*in.Query) == "" {
		return badQuery("QueryValidationError", "Failed parsing the query", "QueryMissing", "The query is empty")
	}
	if in.Timespan != "" || len(in.Workspaces) > 0 {
		return &queryFault{status: http.StatusBadRequest, code: "BadArgumentError", message: "timespan and workspaces are not simulated: put the times into the query"}
	}
	return c.answerQuery(w, t, *in.Query)
}

func insufficient() *queryFault {
	return &queryFault{http.StatusForbidden, "InsufficientAccessError", "The provided credentials have insufficient access to perform the requested operation", [][2]string{{"UnauthorizedClient", "The client does not have access to the workspace"}}}
}

func (c *Cloud) answerQuery(w http.ResponseWriter, t *tenant, text string) *queryFault {
	if strings.Join(strings.Fields(text), "") == "printx=1" {
		// What readers ask to see whether they may ask.
		answer(w, http.StatusOK, object{"tables": []object{{"name": "PrimaryResult", "columns": []object{{"name": "x", "type": "long"}}, "rows": [][]any{{1}}}}})
		return nil
	}
	q, f := parseQuery(text)
	if f != nil {
		return f
	}
	if !t.rows.knows(q.table) || c.faults.is(c.faults.missing, t.id+"/"+q.table) {
		return semantic("SEM0100", "'where' operator: Failed to resolve table or column expression named '%s'", q.table)
	}
	now := c.live(t)
	t.rows.refresh(now)
	list := t.rows.between(q.table, q.from, q.to)
	out := make([]map[string]any, 0, len(list))
	for _, r := range list {
		m := r.event.Row(r.version)
		if q.timeFrom.After(r.event.At) || !q.timeTo.IsZero() && !r.event.At.Before(q.timeTo) || !q.passes(m) {
			continue
		}
		out = append(out, m)
	}
	switch {
	case q.order == "ingestion_time()" && q.desc:
		slices.Reverse(out)
	case q.order != "" && q.order != "ingestion_time()":
		sort.SliceStable(out, func(i, j int) bool {
			a, b := fmt.Sprint(out[i][q.order]), fmt.Sprint(out[j][q.order])
			return q.desc && a > b || !q.desc && a < b
		})
	}
	var partial object
	if q.take >= 0 && len(out) > q.take {
		out = out[:q.take]
	}
	c.faults.mu.Lock()
	broken := c.faults.partial[t.id]
	c.faults.mu.Unlock()
	switch {
	case broken != "":
		out = out[:len(out)/2]
		partial = partialError("-2133196797", broken)
	case len(out) > mostRows:
		out = out[:mostRows]
		partial = partialError("-2133196797", "Query result set has exceeded the internal record count limit 500000 (E_QUERY_RESULT_SET_TOO_LARGE; see https://aka.ms/kustoquerylimits)")
	}
	body := object{"tables": []object{q.result(out)}}
	if q.count {
		body = object{"tables": []object{{"name": "PrimaryResult", "columns": []object{{"name": "Count", "type": "long"}}, "rows": [][]any{{len(out)}}}}}
	}
	if partial != nil {
		body["error"] = partial
	}
	answer(w, http.StatusOK, body)
	return nil
}

func partialError(code, message string) object {
	return object{"code": "PartialError", "message": "There were some errors when processing your query.", "details": []object{{
		"code": "EngineError", "message": "Something went wrong processing your query on the server.",
		"innererror": object{"code": code, "message": message, "severity": 2, "severityName": "Error"},
	}}}
}

// dynamics are the columns whose text is JSON; those of the sign-ins without
// interaction are strings there.
var dynamics = []string{"Status", "DeviceDetail", "LocationDetails", "MfaDetail", "ConditionalAccessPolicies", "AdditionalDetails", "InitiatedBy", "TargetResources", "Location_dynamic", "RawEventData", "ActivityObjects"}

// result writes rows as a table.
func (q *workspaceQuery) result(list []map[string]any) object {
	types := map[string]string{"TenantId": "string", "TimeGenerated": "datetime", "Type": "string"}
	for _, m := range list {
		for k, v := range m {
			switch x := v.(type) {
			case bool:
				types[k] = "bool"
			case float64:
				types[k] = "real"
			case int, int64:
				if types[k] != "real" {
					types[k] = "long"
				}
			case string:
				switch {
				case k == "TimeGenerated" || strings.HasSuffix(k, "DateTime") && instant(x):
					types[k] = "datetime"
				case slices.Contains(dynamics, k) && q.table != entrasim.NonInteractiveSignIn.Table():
					types[k] = "dynamic"
				case types[k] == "":
					types[k] = "string"
				}
			default:
				types[k] = "dynamic"
			}
		}
	}
	names := make([]string, 0, len(types))
	for k := range types {
		names = append(names, k)
	}
	slices.Sort(names)
	columns := []object{}
	for _, n := range names {
		columns = append(columns, object{"name": n, "type": types[n]})
	}
	cells := make([][]any, 0, len(list))
	for _, m := range list {
		line := make([]any, len(names))
		for i, n := range names {
			v, ok := m[n]
			switch {
			case ok:
				line[i] = v
			case types[n] == "string":
				line[i] = ""
			}
		}
		cells = append(cells, line)
	}
	return object{"name": "PrimaryResult", "columns": columns, "rows": cells}
}

func instant(s string) bool { _, err := time.Parse(time.RFC3339Nano, s); return err == nil }

// A workspaceQuery is a query of the one form that is understood: a table, where
// with times and names, order by, take or count.
type workspaceQuery struct {
	table            string
	from, to         time.Time // by arrival
	timeFrom, timeTo time.Time // by TimeGenerated
	equal            map[string][]string
	order            string
	desc             bool
	take             int
	count            bool
}

func (q *workspaceQuery) passes(m map[string]any) bool {
	for k, list := range q.equal {
		s, _ := m[k].(string)
		if !slices.Contains(list, s) {
			return false
		}
	}
	return true
}

// parseQuery reads a query. What is right in KQL and not of the form is refused
// as a semantic error that says so.
func parseQuery(text string) (*workspaceQuery, *queryFault) {
	q := &workspaceQuery{to: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), take: -1, equal: map[string][]string{}}
	parts := splitOutside(text, '|')
	for i, p := range parts {
		word := words(p)
		if len(word) == 0 {
			return nil, syntax("|")
		}
		var f *queryFault
		switch verb := word[0]; {
		case i == 0 && len(word) == 1 && name(verb):
			q.table = verb
		case i == 0:
			f = syntax(verb)
		case verb == "where":
			f = q.where(word[1:])
		case (verb == "order" || verb == "sort") && len(word) > 2 && word[1] == "by":
			f = q.sort(word[2:])
		case (verb == "take" || verb == "limit") && len(word) == 2:
			n, err := strconv.Atoi(word[1])
			if err != nil || n < 0 {
				f = syntax(word[1])
			}
			q.take = n
		case verb == "count" && len(word) == 1:
			q.count = true
		default:
			f = semantic("SEM0001", "The simulated workspace does not know the operator '%s' in this form", verb)
		}
		if f != nil {
			return nil, f
		}
	}
	return q, nil
}

func name(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// splitOutside splits at a byte that stands in no quotes.
func splitOutside(s string, at byte) []string {
	var out []string
	quote, from := byte(0), 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && c == at:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// words splits an operator into its words and signs; a text keeps its first
// quote, datetime(…) and ingestion_time() are one word each.
func words(s string) []string {
	var out []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		switch {
		case strings.HasPrefix(s, "ingestion_time()"):
			out, s = append(out, "ingestion_time()"), s[len("ingestion_time()"):]
		case strings.HasPrefix(s, "datetime("):
			end := strings.IndexByte(s, ')')
			if end < 0 {
				return append(out, s)
			}
			out, s = append(out, s[:end+1]), s[end+1:]
		case s[0] == '"' || s[0] == '\'':
			end := strings.IndexByte(s[1:], s[0])
			if end < 0 {
				return append(out, s)
			}
			out, s = append(out, s[:end+1]), s[end+2:]
		case len(s) > 1 && slices.Contains([]string{">=", "<=", "==", "!=", "=~"}, s[:2]):
			out, s = append(out, s[:2]), s[2:]
		case strings.IndexByte("<>(),=", s[0]) >= 0:
			out, s = append(out, s[:1]), s[1:]
		default:
			end := strings.IndexAny(s, " \t\r\n<>(),=!\"'")
			switch end {
			case -1:
				end = len(s)
			case 0:
				end = 1 // a sign that means nothing
			}
			out, s = append(out, s[:end]), s[end:]
		}
	}
	return out
}

// where reads conditions joined by and.
func (q *workspaceQuery) where(word []string) *queryFault {
	for len(word) > 0 {
		if len(word) < 3 {
			return syntax(strings.Join(word, " "))
		}
		left, op := word[0], word[1]
		word = word[2:]
		switch {
		case left == "ingestion_time()" || left == "TimeGenerated":
			inner, ok := strings.CutPrefix(word[0], "datetime(")
			at, err := time.Parse(time.RFC3339Nano, strings.TrimSuffix(inner, ")"))
			if !ok {
				return semantic("SEM0031", "Cannot compare values of types datetime and string. Try adding explicit casts")
			}
			if err != nil {
				return semantic("SEM0033", "Failed to parse the datetime literal '%s'", inner)
			}
			word = word[1:]
			from, to := &q.from, &q.to
			if left == "TimeGenerated" {
				from, to = &q.timeFrom, &q.timeTo
				if to.IsZero() {
					*to = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
				}
			}
			switch op { // ends are to the tick of 100 ns
			case ">=":
				*from = later(*from, at)
			case ">":
				*from = later(*from, at.Add(100))
			case "<":
				*to = earlier(*to, at)
			case "<=":
				*to = earlier(*to, at.Add(100))
			default:
				return syntax(op)
			}
		case !name(left):
			return syntax(left)
		case op == "==" && quoted(word[0]):
			q.equal[left] = []string{word[0][1:]}
			word = word[1:]
		case op == "in" && word[0] == "(":
			var list []string
			word = word[1:]
			for len(word) > 1 && quoted(word[0]) {
				list = append(list, word[0][1:])
				if word = word[1:]; word[0] != "," {
					break
				}
				word = word[1:]
			}
			if len(word) == 0 || word[0] != ")" || len(list) == 0 {
				return syntax("in")
			}
			word = word[1:]
			q.equal[left] = list
		default:
			return semantic("SEM0001", "The simulated workspace does not know the condition '%s %s …'", left, op)
		}
		if len(word) == 0 {
			return nil
		}
		if word[0] != "and" {
			return syntax(word[0])
		}
		word = word[1:]
		if len(word) == 0 {
			return syntax("and")
		}
	}
	return syntax("where")
}

func quoted(s string) bool { return s != "" && (s[0] == '"' || s[0] == '\'') }

// sort reads one column to order by; without a word for it, downwards.
func (q *workspaceQuery) sort(word []string) *queryFault {
	q.order, q.desc = word[0], true
	if !name(q.order) && q.order != "ingestion_time()" || len(word) > 2 {
		return semantic("SEM0001", "The simulated workspace orders by one column alone")
	}
	if len(word) == 2 {
		if word[1] != "asc" && word[1] != "desc" {
			return syntax(word[1])
		}
		q.desc = word[1] == "desc"
	}
	return nil
}
