package incident

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"glassward"
)

// The ways in which a command fails.
var (
	ErrNotFound = errors.New("no such incident")
	ErrConflict = errors.New("the incident was changed meanwhile")
	ErrInvalid  = errors.New("not possible")
	ErrRepeated = errors.New("this answer was given before")
)

// AnyEtag stands for whatever tag the incident has, as * does in If-Match.
const AnyEtag = "*"

// Sentinel's bounds on comments.
const (
	maxComments    = 100
	maxCommentSize = 30000
)

// A Target names the incident that a command changes: its number, the Etag that
// the writer read (or AnyEtag) and the person who does it.
type Target struct {
	Number int64
	Etag   string
	By     string
}

// A Command is what an operator does to an incident.
type Command interface {
	Event
	target() Target
	apply(st *step, inc *glassward.Incident) error
}

// Acknowledge says that a person has taken the incident up. It becomes Active
// and the person its owner if it had none, nobody is called any more, and those
// who were called are told who has it. Reason says why or what is being done, and
// is required.
//
// That holds for an answer that is good enough. One about a critical incident
// needs a Proof, and so does one that came through a channel that the watched
// tenant controls: whoever owns the tenant reads its mail. What is not good
// enough is recorded, and the calling goes on.
type Acknowledge struct {
	Target
	Reason string
	Proof  Proof
	// Via is the way that the answer came, "page" or "sms"; Receiver the one that
	// had been told, "group/receiver". Both are empty for the console.
	Via, Receiver string
	// Dependent says that the way depends on the watched tenant.
	Dependent bool
	// Key names the answer, so that one that comes again is known (Desk.Do then
	// gives ErrRepeated); empty for one that cannot.
	Key string
	// Storm takes up with the incident what storms and digests named that it stands
	// for: Desk.Do finds them. What people were told of since stays as it is.
	Storm bool

	// led is the incident that stands for this one; its notice tells who has both.
	led int64
	// with counts the incidents that are taken up with this one, of which the groups
	// are told.
	with   int
	groups []string
}

// A Proof is what shows that an answer is a person's who may give it.
type Proof string

// The proofs.
const (
	// NoProof: somebody had the link, or pressed a key.
	NoProof Proof = ""
	// ByCode: the code of a text message, sent to a telephone.
	ByCode Proof = "code"
	// ByPIN: the person's own PIN.
	ByPIN Proof = "PIN"
	// ByConsole: a token with the scope to acknowledge, or the data folder's owner.
	ByConsole Proof = "console"
)

// Critical says whether an incident is one that takes a proof to take up: it is
// High, or about an emergency account.
func Critical(inc glassward.Incident) bool {
	return inc.Severity == glassward.High || len(inc.Accounts) > 0
}

// Lacking gives what keeps an answer from stopping the calling, empty if
// nothing does.
func (c Acknowledge) Lacking(inc glassward.Incident) string {
	switch {
	case c.Proof != NoProof:
		return ""
	case c.Dependent:
		return "it came through a channel that the watched tenant controls"
	case Critical(inc):
		return "a critical incident takes the code of the text message, a PIN or the console"
	}
	return ""
}

// Assign gives the incident an owner, or none if To is empty.
type Assign struct {
	Target
	To string
}

// Comment adds a comment of at most 30,000 characters; an incident takes 100. A
// closed incident can be commented.
type Comment struct {
	Target
	Text string
}

// Close closes the incident. Classification and Reason must be a pair that
// Sentinel knows: TruePositive with SuspiciousActivity, BenignPositive with
// SuspiciousButExpected, FalsePositive with IncorrectAlertLogic or
// InaccurateData, Undetermined with none. An incident that shows success by an
// emergency identity or a change of a protecting control is closed when its tasks
// are done, the review by somebody who did none of it; of one that is closed as
// FalsePositive the review alone.
type Close struct {
	Target
	Classification glassward.Classification
	Reason         string
	Comment        string
}

// WithOthers begins what the timeline says of an incident that was taken up together
// with others.
const WithOthers = "together with"

func (Acknowledge) event() {}
func (Assign) event()      {}
func (Comment) event()     {}
func (Close) event()       {}

func (t Target) target() Target { return t }

// reasons are the reasons that go with each classification.
var reasons = map[glassward.Classification][]string{
	glassward.Undetermined:   {""},
	glassward.TruePositive:   {"SuspiciousActivity"},
	glassward.BenignPositive: {"SuspiciousButExpected"},
	glassward.FalsePositive:  {"IncorrectAlertLogic", "InaccurateData"},
}

func (st *step) command(c Command) error {
	t := c.target()
	i := slices.IndexFunc(st.state.Incidents, func(inc glassward.Incident) bool { return inc.Number == t.Number })
	if i < 0 {
		return fmt.Errorf("incident %d: %w", t.Number, ErrNotFound)
	}
	inc := st.state.Incidents[i]
	switch {
	case t.Etag == "":
		return fmt.Errorf("incident %d: %w: an etag is required; read the incident and give the one it has, or %s for any", t.Number, ErrInvalid, AnyEtag)
	case t.Etag != AnyEtag && t.Etag != inc.Etag:
		return fmt.Errorf("incident %d: %w: it has etag %s, the command was made for %s; read it again", t.Number, ErrConflict, inc.Etag, t.Etag)
	case inc.MergedInto != 0:
		return fmt.Errorf("incident %d: %w: it goes on in incident %d, of which it is a part", t.Number, ErrInvalid, inc.MergedInto)
	case strings.TrimSpace(t.By) == "":
		return fmt.Errorf("incident %d: %w: a command names the person who gives it", t.Number, ErrInvalid)
	case person(t.By) == "glassward":
		return fmt.Errorf("incident %d: %w: %s is what Glassward calls itself; say which person acts", t.Number, ErrInvalid, t.By)
	}
	if err := c.apply(st, &inc); err != nil {
		return fmt.Errorf("incident %d: %w", t.Number, err)
	}
	if len(inc.Timeline) == len(st.state.Incidents[i].Timeline) {
		return nil // it was so already
	}
	st.put(inc)
	return nil
}

func (c Acknowledge) apply(st *step, inc *glassward.Incident) error {
	if inc.Status == glassward.StatusClosed {
		return fmt.Errorf("%w: a closed incident cannot be acknowledged", ErrInvalid)
	}
	if strings.TrimSpace(c.Reason) == "" {
		return fmt.Errorf("%w: an acknowledgement gives a reason", ErrInvalid)
	}
	if err := bounded(c.Reason); err != nil {
		return err
	}
	way := ""
	if c.Via != "" {
		way = " (by " + strings.Join(slices.DeleteFunc([]string{c.Via, string(c.Proof), c.Receiver}, func(s string) bool { return s == "" }), ", ") + ")"
	}
	if lacking := c.Lacking(*inc); lacking != "" {
		st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "answer", Actor: c.By, Text: c.Reason + way + "; the calling goes on: " + lacking})
		return nil
	}
	inc.Status = glassward.StatusActive
	if inc.Acknowledged.IsZero() {
		inc.Acknowledged = st.now
	}
	if inc.Owner == "" {
		inc.Owner = c.By
	}
	if c.led != 0 {
		st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "acknowledge", Actor: c.By, Text: fmt.Sprintf("%s%s, with incident %d, which stood for it in a storm", c.Reason, way, c.led)})
		end(inc)
		return nil
	}
	if c.with == 0 {
		st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "acknowledge", Actor: c.By, Text: c.Reason + way})
		st.taken(inc, fmt.Sprintf("%s has taken up incident %d: %s", c.By, inc.Number, c.Reason))
		return nil
	}
	also := fmt.Sprintf("%s %s that were told with it", WithOthers, several(c.with, "other incident"))
	st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "acknowledge", Actor: c.By, Text: c.Reason + way + ", " + also})
	st.tell(inc, "acknowledged", union(inc.ActionGroups, c.groups), fmt.Sprintf("%s has taken up incident %d, %s: %s", c.By, inc.Number, also, c.Reason))
	end(inc)
	return nil
}

// taken ends the calling of people, if it goes on, and tells them why.
func (st *step) taken(inc *glassward.Incident, why string) {
	if calling(*inc) {
		st.tell(inc, "acknowledged", inc.ActionGroups, why)
		end(inc)
	}
}

func (c Assign) apply(st *step, inc *glassward.Incident) error {
	if inc.Status == glassward.StatusClosed {
		return fmt.Errorf("%w: a closed incident cannot be assigned", ErrInvalid)
	}
	if inc.Owner == c.To {
		return nil
	}
	text := "assigned to " + c.To
	if c.To == "" {
		text = "assigned to nobody"
	}
	inc.Owner = c.To
	st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "assign", Actor: c.By, Text: text})
	return nil
}

func (c Comment) apply(st *step, inc *glassward.Incident) error {
	if strings.TrimSpace(c.Text) == "" {
		return fmt.Errorf("%w: the comment is empty", ErrInvalid)
	}
	if err := bounded(c.Text); err != nil {
		return err
	}
	n := 0
	for _, e := range inc.Timeline {
		if e.Kind == "comment" {
			n++
		}
	}
	if n >= maxComments {
		return fmt.Errorf("%w: it has %d comments, which is all that an incident takes", ErrInvalid, n)
	}
	st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "comment", Actor: c.By, Text: c.Text})
	return nil
}

func (c Close) apply(st *step, inc *glassward.Incident) error {
	if inc.Status == glassward.StatusClosed {
		return fmt.Errorf("%w: it is closed already", ErrInvalid)
	}
	allowed, ok := reasons[c.Classification]
	if !ok {
		return fmt.Errorf("%w: unknown classification %q: use TruePositive, BenignPositive, FalsePositive or Undetermined", ErrInvalid, c.Classification)
	}
	if !slices.Contains(allowed, c.Reason) {
		want := strings.Join(allowed, " or ")
		if want == "" {
			want = "no reason"
		}
		return fmt.Errorf("%w: %s does not go with reason %q: use %s", ErrInvalid, c.Classification, c.Reason, want)
	}
	if err := bounded(c.Comment); err != nil {
		return err
	}
	if err := st.closable(*inc, c); err != nil {
		return err
	}
	st.close(inc, c)
	return nil
}

// close closes the incident as the command says and tells whoever was told of it.
func (st *step) close(inc *glassward.Incident, c Close) {
	inc.Status = glassward.StatusClosed
	inc.Classification, inc.Reason, inc.Comment = c.Classification, c.Reason, c.Comment
	inc.Closed = st.now
	what := string(c.Classification)
	if c.Reason != "" {
		what += ", " + c.Reason
	}
	text := what
	if c.Comment != "" {
		text += ": " + c.Comment
	}
	st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "close", Actor: c.By, Text: text})
	// Whoever was woken by the incident learns who closed it and why: an attacker
	// with a stolen token shall not put out an alarm in silence.
	groups := inc.ActionGroups
	if len(groups) == 0 {
		groups = []string{""}
	}
	st.tell(inc, "closed", groups, fmt.Sprintf("incident %d was closed by %s as %s", inc.Number, c.By, text))
	end(inc)
}

// tell owes those who have been called about an incident a word about what was
// done with it.
func (st *step) tell(inc *glassward.Incident, kind string, groups []string, why string) {
	owed := len(st.changes.Notices)
	st.owe(inc, glassward.Alert{Severity: inc.Severity}, kind, []string{st.now.Format(time.RFC3339Nano)}, groups, why)
	if ofHealth(*inc) {
		for i := range st.changes.Notices[owed:] {
			st.changes.Notices[owed+i].Subject = healthSubject(*inc)
		}
	}
}

func bounded(text string) error {
	if n := utf8.RuneCountInString(text); n > maxCommentSize {
		return fmt.Errorf("%w: the text has %d characters, at most %d are kept", ErrInvalid, n, maxCommentSize)
	}
	return nil
}
