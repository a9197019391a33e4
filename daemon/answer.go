package daemon

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"glassward"
	"glassward/console"
	"glassward/incident"
	"glassward/notify"
	"glassward/state"
)

// An answer is what a person said back through one of the ways in.
type answer struct {
	// Tenant and Incident name what it is about. An Incident of 0 leaves it to the
	// code in Text, or else it is the one that people are called about and that the
	// receiver was told of; the tenant is not looked at then.
	Tenant   string
	Incident int64
	// Receiver is the one that had been told, "group/receiver".
	Receiver string
	// Way is page, sms, voice, push, pagerduty or the like.
	Way string
	// Who is the name that came with the answer, empty where the way knows none.
	Who string
	// Text is what was said: the reason, and a word of it may be the code of the
	// text message or the PIN. Code is what was given as such beside it.
	Text, Code string
	// Key names the answer, so that one that comes again changes nothing; empty for
	// one that cannot.
	Key string
	// Alone is an answer to a notice about the incident by itself: a storm for which
	// the incident stands goes on. Storm is one to a storm's notice.
	Alone, Storm bool
}

// An answered is what became of an answer.
type answered struct {
	Incident glassward.Incident
	// Stopped says that nobody is called any more.
	Stopped bool
	// Said tells the person in one sentence.
	Said string
}

// The ways in which an answer fails for good; after any other error it can be
// given again.
var (
	errNothingToAnswer = errors.New("there is nothing to answer")
	errTooManyAnswers  = errors.New("too many answers that were not good enough")
)

const (
	maxWho   = 100  // characters of a name
	maxWhy   = 1000 // characters of a reason
	maxWords = 12   // words of a text that may be a code
)

// respond records an answer and decides whether it stops the calling of people.
func (d *Daemon) respond(ctx context.Context, a answer) (answered, error) {
	config := d.people()
	inc, err := d.addressed(ctx, config, a)
	if err != nil {
		return answered{}, err
	}
	out := answered{Incident: inc}
	if inc.Status == glassward.StatusClosed && !a.Storm {
		return out, fmt.Errorf("%w: incident %d is closed", errNothingToAnswer, inc.Number)
	}
	now := d.now()
	if !d.answers.allowed(ctx, now, a.Receiver, inc.Tenant, inc.Number) {
		return out, errTooManyAnswers
	}
	proof, person, rest, wrong := d.proof(config, inc, a)
	who := strings.TrimSpace(notify.PlainText(a.Who))
	if proof == incident.ByPIN {
		who = person
	}
	ack := incident.Acknowledge{
		Target: incident.Target{Number: inc.Number, Etag: incident.AnyEtag, By: cut(cmp.Or(who, person, config.Speaker("", a.Receiver)), maxWho)},
		Reason: cut(cmp.Or(strings.TrimSpace(notify.PlainText(rest)), "answered by "+a.Way), maxWhy),
		Proof:  proof, Via: a.Way, Receiver: a.Receiver, Key: a.Key, Storm: !a.Alone,
		Dependent: config.Depends(ctx, a.Receiver, d.watched(inc.Tenant)) != "",
	}
	lacking := ack.Lacking(inc)
	if lacking != "" && a.Way == "page" {
		ack.Key = "" // the letter is good for another try, with a code
	}
	changed, err := d.desk.Do(ctx, inc.Tenant, ack)
	switch {
	case errors.Is(err, incident.ErrRepeated):
		out.Said = "This answer was given before."
		return out, nil
	case errors.Is(err, incident.ErrNotFound), errors.Is(err, incident.ErrInvalid):
		return out, fmt.Errorf("%w: %v", errNothingToAnswer, err)
	case err != nil:
		return out, err
	}
	out.Incident = changed
	last := changed.Timeline[len(changed.Timeline)-1]
	out.Stopped = last.Kind == "acknowledge"
	result := "success"
	if out.Stopped {
		out.Said = fmt.Sprintf("%s has taken up incident %d%s. Nobody is called any more; the others are told.", ack.By, changed.Number, with(last))
	} else {
		out.Said = fmt.Sprintf("Your answer to incident %d is recorded, and the calling goes on: %s.", inc.Number, lacking)
		result = "recorded"
		if wrong {
			out.Said = fmt.Sprintf("That is neither the code of the text message nor a PIN. Your answer to incident %d is recorded, and the calling goes on.", inc.Number)
			result = "wrong code"
		}
		if d.answers.note(ctx, now, a.Receiver, inc.Tenant, inc.Number, wrong) {
			d.tell(ctx, inc.Tenant, incident.Health{
				Cause: "codes-tried", Subject: a.Receiver, Since: now,
				Title:  fmt.Sprintf("Somebody tries codes for incident %d", inc.Number),
				Detail: fmt.Sprintf("%d wrong codes came within a quarter of an hour to what %s was sent. No more are looked at for a while.", wrongAtMost, a.Receiver),
			})
		}
	}
	d.courier.Wake()
	d.audit(deed{tenant: inc.Tenant, operation: "acknowledge incident", actor: ack.By, via: a.Way + " " + a.Receiver, target: "incident " + strconv.FormatInt(inc.Number, 10), detail: ack.Reason, result: result})
	return out, nil
}

// with says with how many others of a storm an incident was taken up, as its timeline
// has it; empty if it was alone.
func with(e glassward.TimelineEntry) string {
	if i := strings.LastIndex(e.Text, incident.WithOthers); i >= 0 {
		return ", " + e.Text[i:]
	}
	return ""
}

// people gives the configuration of receivers and people as it is now.
func (d *Daemon) people() notify.Config {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.config.Config
}

// watched gives what is known of the tenant that receivers may depend on; for the
// whole installation, of all.
func (d *Daemon) watched(tenant string) notify.Watched {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var w notify.Watched
	for _, t := range d.config.Each {
		if tenant == "" || t.ID == tenant {
			w.Domains = append(w.Domains, t.Domains...)
		}
	}
	if len(w.Domains) == 0 {
		// Whose mail Exchange Online takes in may be the tenant's.
		w.LookupMX = net.DefaultResolver.LookupMX
	}
	return w
}

// addressed gives the incident that an answer is about.
func (d *Daemon) addressed(ctx context.Context, config notify.Config, a answer) (glassward.Incident, error) {
	if a.Incident != 0 {
		inc, err := d.state.Incident(ctx, a.Tenant, a.Incident)
		if errors.Is(err, state.ErrNotFound) {
			err = fmt.Errorf("%w: there is no incident %d", errNothingToAnswer, a.Incident)
		}
		return inc, err
	}
	// Whoever is called next week is called now.
	refs, _, err := d.state.Calling(ctx, d.now().AddDate(1, 0, 0), 1000)
	if err != nil {
		return glassward.Incident{}, err
	}
	group, _, _ := strings.Cut(a.Receiver, "/")
	var mine []glassward.Incident
	for _, ref := range refs {
		inc, err := d.state.Incident(ctx, ref.Tenant, ref.Number)
		if errors.Is(err, state.ErrDamaged) || errors.Is(err, state.ErrNotFound) {
			continue
		}
		if err != nil {
			return glassward.Incident{}, err
		}
		if !slices.ContainsFunc(inc.ActionGroups, func(g string) bool { return strings.EqualFold(g, group) }) {
			continue
		}
		for _, word := range words(a) {
			if d.byCode(config, inc, word) != "" {
				return inc, nil
			}
		}
		mine = append(mine, inc)
	}
	switch len(mine) {
	case 0:
		return glassward.Incident{}, fmt.Errorf("%w: %s is not being called about anything", errNothingToAnswer, a.Receiver)
	case 1:
		return mine[0], nil
	}
	// Many at once are a storm: who answers it means what stands for all of it.
	var leads []glassward.Incident
	for _, tenant := range tenantsOf(mine) {
		number, err := d.state.StormOf(ctx, tenant, group, d.now().Add(-awaitedFor))
		if err != nil {
			return glassward.Incident{}, err
		}
		for _, inc := range mine {
			if inc.Tenant == tenant && inc.Number == number {
				leads = append(leads, inc)
			}
		}
	}
	if len(leads) == 1 {
		return leads[0], nil
	}
	return glassward.Incident{}, fmt.Errorf("%w: %s is being called about %d incidents, and the answer names none of them by its code", errNothingToAnswer, a.Receiver, len(mine))
}

// tenantsOf gives the tenants of incidents, each once.
func tenantsOf(list []glassward.Incident) (out []string) {
	for _, inc := range list {
		if !slices.Contains(out, inc.Tenant) {
			out = append(out, inc.Tenant)
		}
	}
	return out
}

// words gives the words of an answer that may be a code, the one that was given
// as such first.
func words(a answer) []string {
	list := strings.Fields(a.Text)
	list = list[:min(len(list), maxWords)]
	if a.Code != "" {
		list = append([]string{a.Code}, list...)
	}
	return slices.DeleteFunc(list, func(w string) bool { return len(w) < 4 || len(w) > 64 })
}

// byCode gives the receiver whose text message carried the word as its code,
// empty if none did.
func (d *Daemon) byCode(config notify.Config, inc glassward.Incident, word string) string {
	found := ""
	for _, r := range config.Texts(inc.ActionGroups) {
		if code := d.code(inc, r); code != "" && subtle.ConstantTimeCompare([]byte(code), []byte(word)) == 1 {
			found = r
		}
	}
	return found
}

// code gives the code that a text message about an incident carries to a receiver,
// empty if people were not called about it.
func (d *Daemon) code(inc glassward.Incident, receiver string) string {
	if inc.Page == nil {
		return ""
	}
	return d.links.Code(inc.Page.Key, receiver)
}

// proof gives what an answer proves, whom it shows, and what of its text is not
// the proof; wrong says that something was given for a code and is none.
func (d *Daemon) proof(config notify.Config, inc glassward.Incident, a answer) (proof incident.Proof, person, rest string, wrong bool) {
	without := func(word string) string {
		return strings.Join(slices.DeleteFunc(strings.Fields(a.Text), func(w string) bool { return w == word }), " ")
	}
	for _, word := range words(a) {
		if r := d.byCode(config, inc, word); r != "" {
			return incident.ByCode, config.Speaker("", r), without(word), false
		}
		p, ok, err := config.ByPIN(word, inc.ActionGroups)
		if err != nil {
			d.log.Error("a PIN cannot be used", "error", err)
		}
		if ok {
			return incident.ByPIN, p.Name, without(word), false
		}
		wrong = wrong || word == a.Code || strings.Trim(word, "0123456789") == ""
	}
	return incident.NoProof, "", a.Text, wrong
}

func cut(s string, characters int) string {
	if utf8.RuneCountInString(s) <= characters {
		return s
	}
	return string([]rune(s)[:characters-1]) + "…"
}

// The answers that were not good enough are counted, so that nobody finds a code
// by trying: a code has six digits.
const (
	wrongAtMost  = 5  // by one receiver's letters, within answerPause
	answerAtMost = 10 // the same, of any kind
	aboutAtMost  = 30 // about one incident, by all letters together
	answerPause  = 15 * time.Minute
)

// A tally counts answers that were not good enough. It is kept: a restart gives
// nobody fresh tries.
type tally struct {
	mu    sync.Mutex
	store memories
	log   *slog.Logger
	// books are by the name under which they are kept; in each are the times by what
	// is counted.
	books map[string]map[string][]time.Time
}

// memories is where a tally is kept.
type memories interface {
	Memory(ctx context.Context, subject string) ([]byte, error)
	PutMemory(ctx context.Context, subject string, memory []byte) error
}

// receiversBook counts by receiver; what is about an incident is counted in a book of
// its tenant's.
const receiversBook = "receivers/answers"

func incidentsBook(tenant string) string { return tenant + "/answers" }

func newTally(store memories, log *slog.Logger) *tally {
	return &tally{store: store, log: log, books: map[string]map[string][]time.Time{}}
}

// book gives a book without what is older than answerPause. What lies ahead was
// counted before the clock was set back, and counts.
func (t *tally) book(ctx context.Context, name string, now time.Time) map[string][]time.Time {
	b, ok := t.books[name]
	if !ok {
		b = map[string][]time.Time{}
		text, err := t.store.Memory(ctx, name)
		if err == nil {
			err = json.Unmarshal(text, &b)
		}
		if err != nil && !errors.Is(err, state.ErrNotFound) {
			t.log.Warn("how many wrong answers came is not known any more", "of", name, "error", err)
		}
		if ctx.Err() == nil {
			t.books[name] = b
		}
	}
	for key, list := range b {
		if list = slices.DeleteFunc(list, func(at time.Time) bool { return now.Sub(at) > answerPause }); len(list) > 0 {
			b[key] = list
		} else {
			delete(b, key)
		}
	}
	return b
}

// allowed says whether one more answer is looked at.
func (t *tally) allowed(ctx context.Context, now time.Time, receiver, tenant string, number int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	receiver = strings.ToLower(receiver)
	b := t.book(ctx, receiversBook, now)
	return len(b["wrong "+receiver]) < wrongAtMost && len(b["any "+receiver]) < answerAtMost &&
		len(t.book(ctx, incidentsBook(tenant), now)[strconv.FormatInt(number, 10)]) < aboutAtMost
}

// note counts an answer. It says whether it was the wrong code after which no
// more are looked at.
func (t *tally) note(ctx context.Context, now time.Time, receiver, tenant string, number int64, wrong bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	ctx = context.WithoutCancel(ctx) // whoever hangs up is counted all the same
	receiver = strings.ToLower(receiver)
	now = now.UTC().Round(0)
	b, about := t.book(ctx, receiversBook, now), t.book(ctx, incidentsBook(tenant), now)
	b["any "+receiver] = append(b["any "+receiver], now)
	if wrong {
		b["wrong "+receiver] = append(b["wrong "+receiver], now)
	}
	key := strconv.FormatInt(number, 10)
	about[key] = append(about[key], now)
	for name, book := range map[string]map[string][]time.Time{receiversBook: b, incidentsBook(tenant): about} {
		text, err := json.Marshal(book)
		if err == nil {
			err = t.store.PutMemory(ctx, name, text)
		}
		if err != nil {
			t.log.Error("a wrong answer is counted until the next start only", "error", err)
		}
	}
	return wrong && len(b["wrong "+receiver]) == wrongAtMost
}

// letters is where the links of notices lead.
type letters struct{ d *Daemon }

// letterOf makes a job's message answerable.
func (d *Daemon) letterOf(j notify.Job) notify.Letter {
	if j.Notice.Incident == 0 {
		return notify.Letter{}
	}
	var l notify.Letter
	if path := d.links.Letter(j.Notice.ID, j.Receiver); path != "" {
		l.Link = *d.base.Load() + path
	}
	if j.Incident != nil && incident.Critical(*j.Incident) {
		l.Code = d.code(*j.Incident, j.Receiver)
	}
	return l
}

// Letter finds the notice and the receiver that a token is of.
func (l letters) Letter(ctx context.Context, token string) (console.Letter, error) {
	named := console.NamedBy(token)
	if named == "" {
		return console.Letter{}, console.ErrNoLetter
	}
	sent, err := l.d.state.Sent(ctx, named)
	if err != nil {
		return console.Letter{}, err
	}
	for _, s := range sent {
		if s.Notice.Incident == 0 || !l.d.links.Opens(token, s.Notice.ID, s.Receiver) {
			continue
		}
		out := console.Letter{Token: token, Tenant: s.Notice.Tenant, Number: s.Notice.Incident, Receiver: s.Receiver, Sent: s.Notice.Created, Storm: s.Notice.Storm != ""}
		if p, ok := l.d.people().PersonOf(s.Receiver); ok {
			out.Who = p.Name
		}
		if out.Used, err = l.d.state.Answered(ctx, out.Tenant, letterKey(token)); err != nil {
			return console.Letter{}, err
		}
		inc, err := l.d.state.Incident(ctx, out.Tenant, out.Number)
		if err != nil && !errors.Is(err, state.ErrNotFound) {
			return console.Letter{}, err
		}
		out.Critical = incident.Critical(inc)
		return out, nil
	}
	return console.Letter{}, console.ErrNoLetter
}

func letterKey(token string) string { return "page:" + token }

// Answer records what the holder of a letter wrote into its form.
func (l letters) Answer(ctx context.Context, letter console.Letter, r console.Reply) (string, error) {
	out, err := l.d.respond(ctx, answer{
		Tenant: letter.Tenant, Incident: letter.Number, Receiver: letter.Receiver, Way: "page",
		Who: r.Who, Text: r.Why, Code: r.Code, Key: letterKey(letter.Token), Storm: letter.Storm, Alone: !letter.Storm,
	})
	switch {
	case errors.Is(err, errTooManyAnswers):
		return "", console.ErrTooMany
	case errors.Is(err, errNothingToAnswer):
		return "", fmt.Errorf("%w: %v", console.ErrInvalid, err)
	}
	return out.Said, err
}
