package acceptance_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"
	"github.com/pressly/goose/v3"

	"glassward/internal/entrasim"
	"glassward/internal/fault"
	"glassward/logstore"
)

// The variables of TestChaos: how many seeds, or from which to which ("501-1000"), or
// which one; and, in the process
// that is killed, the folder of its run.
const (
	chaosSeeds = "GLASSWARD_CHAOS_SEEDS"
	chaosSeed  = "GLASSWARD_CHAOS_SEED"
	chaosLife  = "GLASSWARD_CHAOS_LIFE"
)

// TestChaos plays seeded runs in which everything happens at once: records come
// late and again, rule files are replaced and broken, receivers fail in every
// way, and the process is killed at failpoints and started again. Afterwards the
// receivers' own books are compared with what the plan says must have been told:
// nothing lost, nothing invented, and every message under the key of a notice
// that was owed, so that a repeat is known as one.
//
// A run is repeated by its seed: GLASSWARD_CHAOS_SEED=17 go test -run TestChaos
// ./internal/acceptance.
func TestChaos(t *testing.T) {
	if dir := os.Getenv(chaosLife); dir != "" {
		liveChaos(t, dir)
		return
	}
	t.Parallel()
	first, n := uint64(1), uint64(50)
	if racing {
		n = 2
	}
	if text := os.Getenv(chaosSeeds); text != "" {
		from, to, part := strings.Cut(text, "-")
		if n = chaosNumber(t, chaosSeeds, from); part {
			last := chaosNumber(t, chaosSeeds, to)
			if last < n {
				t.Fatalf("%s=%q ends before it begins", chaosSeeds, text)
			}
			first, n = n, last-n+1
		}
	}
	if text := os.Getenv(chaosSeed); text != "" {
		first, n = chaosNumber(t, chaosSeed, text), 1
	}
	points, err := fault.Points(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	// The plan's tenant has no directory to look at; TestKilledLook dies there.
	points = slices.DeleteFunc(points, isLook)
	var mu sync.Mutex
	visits, kills := map[fault.Name]int{}, map[fault.Name]int{}
	t.Run("seeds", func(t *testing.T) {
		for seed := first; seed < first+n; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				seen, died := playChaos(t, seed, points)
				mu.Lock()
				defer mu.Unlock()
				for _, p := range seen {
					visits[p]++
				}
				for _, p := range died {
					kills[p]++
				}
			})
		}
	})
	total := 0
	for _, p := range points {
		t.Logf("%-28s visited in %4d lives, killed at %4d times", p, visits[p], kills[p])
		total += kills[p]
		if n >= 50 && (visits[p] == 0 || kills[p] == 0 && n >= 500) {
			t.Errorf("%s: visited in %d lives, killed at %d times: the runs prove nothing of it", p, visits[p], kills[p])
		}
	}
	t.Logf("%d seeds, %d kills", n, total)
}

func chaosNumber(t *testing.T, name, text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("%s=%q is no number", name, text)
	}
	return n
}

// playChaos plays a seed's run, life after life, and judges it. It gives the points
// that were passed, once for each life, and those that were died at.
func playChaos(t *testing.T, seed uint64, points []fault.Name) (seen, died []fault.Name) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(seed, 7))
	plan := newChaosPlan(seed)
	lives := 1 + r.IntN(4)
	var found chaosFound
	var history []string
	if plan.older {
		history, found.older = append(history, "stores of an older form"), true
		olderChaos(t, dir)
	}
	if plan.loses {
		history, found.stateLost = append(history, "the control store lost what it had acknowledged"), true
		loseChaosState(t, dir, func(spec string) bool { return liveOne(t, seed, dir, spec, history) })
	}
	for life := range lives + 1 {
		spec := ""
		if life < lives {
			// Most points are passed often, and what matters may be the first time or
			// a late one; others are passed only where the plan leads there.
			likely := slices.DeleteFunc(slices.Clone(points), func(p fault.Name) bool { return !plan.leadsTo(string(p), life, found) })
			if few := slices.DeleteFunc(slices.Clone(likely), func(p fault.Name) bool { return !rare(string(p)) }); len(few) > 0 && r.IntN(3) == 0 {
				likely = few
			}
			point := likely[r.IntN(len(likely))]
			nth := 1
			if r.IntN(3) > 0 && often(string(point)) {
				nth += min(int(r.ExpFloat64()*8), 80)
			}
			spec = fmt.Sprintf("%s:%d=kill", point, nth)
		}
		killed := liveOne(t, seed, dir, spec, history)
		history = append(history, spec)
		if !killed {
			break // it came to the end of the plan
		}
		name, _, _ := strings.Cut(spec, ":")
		died = append(died, fault.Name(name))
		found = chaosFound{stateLost: found.stateLost && pendingChaos(dir), eventsLost: found.eventsLost && pendingChaos(dir)}
		switch n := r.IntN(9); {
		case n < 3:
			found.torn = true
			history = append(history, "torn tails")
			tearChaos(t, dir, r)
		case n < 4 && loseChaosEvents(t, dir):
			found.eventsLost = true
			history = append(history, "the event store lost what it had acknowledged")
			book, err := readChaos(dir)
			if err != nil {
				t.Fatal(err)
			}
			plan.toldAgain(didChaos(book))
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "visits"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		seen = append(seen, fault.Name(strings.TrimSpace(line)))
	}
	judgeChaos(t, seed, dir, plan, history)
	return seen, died
}

// liveOne lets the process live until its end or its death at the failpoint of
// spec, and says whether it was killed.
func liveOne(t *testing.T, seed uint64, dir, spec string, history []string) (killed bool) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-test.run", "^TestChaos$", "-test.timeout", "20m")
	cmd.Env = append(os.Environ(), chaosLife+"="+dir, chaosSeed+"="+fmt.Sprint(seed), fault.Variable+"="+spec)
	out, err := cmd.CombinedOutput()
	killed = signalOf(err) == syscall.SIGKILL
	if err != nil && !killed {
		t.Fatalf("seed %d, after %v, in the life of %q: %v\n%s", seed, history, spec, err, out)
	}
	return killed
}

// A chaosFound is what the next life finds that is not as the last one left it.
type chaosFound struct {
	torn, older, stateLost, eventsLost bool
}

// often says whether a life passes a point many times.
func often(point string) bool {
	for _, prefix := range []string{"logstore.append", "logstore.commit", "logstore.journal", "notify.", "state.commit", "state.head"} {
		if strings.HasPrefix(point, prefix) {
			return true
		}
	}
	return false
}

// rare says whether so few plans come by a point, and each but once, that among all the
// others it would hardly ever be chosen.
func rare(point string) bool {
	return slices.ContainsFunc([]string{"logstore.retain", "logstore.migrate.copied", "state.migrate.copied", "logstore.giveup", "state.giveup"},
		func(prefix string) bool { return strings.HasPrefix(point, prefix) })
}

// leadsTo says whether the plan comes by a point in a life, as far as can be said.
func (p *chaosPlan) leadsTo(point string, life int, found chaosFound) bool {
	comes, longest := true, 0
	for prefix, c := range map[string]bool{
		"backup.take": p.has("backup"), "logstore.backup": p.has("backup"), "private.copy": p.has("backup"), "state.snapshot": p.has("backup"),
		"backup.aside": p.has("restore"), "backup.finish": p.has("restore"), "backup.merge": p.has("restore"), "backup.restore": p.has("restore"), "logstore.floor": p.has("restore"),
		"logstore.compact": p.has("compact"), "logstore.retain": slices.ContainsFunc(p.acts, chaosAct.forgets),
		"logstore.migrate": life == 0, "state.migrate": life == 0, "logstore.migrate.copied": found.older, "state.migrate.copied": found.older,
		"logstore.damage": found.torn, "state.aside": found.torn, "logstore.giveup": found.eventsLost, "state.giveup": found.stateLost,
	} {
		if strings.HasPrefix(point, prefix) && len(prefix) > longest {
			comes, longest = c, len(prefix)
		}
	}
	return comes
}

// chaosLost is the file that says that a store has lost what it had acknowledged:
// the operator accepts that, and the sources tell again what they had told.
const chaosLost = "lost"

func pendingChaos(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, chaosLost))
	return err == nil
}

// didChaos gives how many acts of the plan are done.
func didChaos(book []chaosEntry) (n int) {
	for _, e := range book {
		n = max(n, e.Did)
	}
	return n
}

func markLost(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, chaosLost), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// loseChaosEvents makes the log of an event store another database's, by the
// identifier in its head, so that the engine refuses it. It says whether there was
// one.
func loseChaosEvents(t *testing.T, dir string) bool {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "data/workspaces/*/logs.duckdb.wal"))
	if err != nil {
		t.Fatal(err)
	}
	lost := false
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) < 100 {
			continue
		}
		text[11] ^= 1
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		lost = true
	}
	if lost {
		markLost(t, dir)
	}
	return lost
}

// loseChaosState has a first life die before anything of the plan is done, and
// its control store's log empty as after a disk that lied. What people were told
// later would be told again under other numbers: that a store which lost it knows
// nothing of it is no fault of the program.
func loseChaosState(t *testing.T, dir string, live func(spec string) (killed bool)) {
	t.Helper()
	if !live("state.head.after:2=kill") {
		t.Fatal("it came to the end of the plan")
	}
	if book, err := readChaos(dir); err != nil || len(book) > 0 {
		t.Fatalf("the life before the first has done too much: %v, %v", book, err)
	}
	path := filepath.Join(dir, "data/state.db-wal")
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const header = 32
	clear(log[header:])
	if err := os.WriteFile(path, log, 0o600); err != nil {
		t.Fatal(err)
	}
	markLost(t, dir)
}

// olderChaos makes the stores as an older program leaves them that has seen
// nothing: the control store with the first of its migrations, the event store
// without the note of its form.
func olderChaos(t *testing.T, dir string) {
	t.Helper()
	data := filepath.Join(dir, "data")
	logs := filepath.Join(data, "workspaces", entrasim.TenantID)
	if err := os.MkdirAll(logs, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(data, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("../../state/migrations/sqlite"), goose.WithDisableGlobalRegistry(true))
	if err == nil {
		_, err = p.UpByOne(t.Context())
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	s, err := logstore.Open(t.Context(), logs, logstore.Options{})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	var engine duckdb.Database
	var conn duckdb.Connection
	var result duckdb.Result
	if duckdb.Open(filepath.Join(logs, "logs.duckdb"), &engine) == duckdb.StateError || duckdb.Connect(engine, &conn) == duckdb.StateError {
		t.Fatal("the event store does not open")
	}
	defer duckdb.Close(&engine)
	defer duckdb.Disconnect(&conn)
	if duckdb.Query(conn, "DROP TABLE _format; CHECKPOINT", &result) == duckdb.StateError {
		t.Fatal(duckdb.ResultError(&result))
	}
	duckdb.DestroyResult(&result)
}

// tearChaos leaves at the end of what the dead process wrote what a power loss
// leaves there: the begin of a write that was never acknowledged.
func tearChaos(t *testing.T, dir string, r *rand.Rand) {
	logs, err := filepath.Glob(filepath.Join(dir, "data/workspaces/*/logs.duckdb.wal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(logs, filepath.Join(dir, "data/state.db-wal")) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		torn := make([]byte, 1+r.IntN(5000))
		if r.IntN(2) == 0 {
			for i := range torn {
				torn[i] = byte(r.Uint32())
			}
		}
		if _, err := f.Write(torn); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A chaosEntry is a line of the book that the world outside keeps: what was done
// to the process, and what its receivers got. It outlives every kill.
type chaosEntry struct {
	At time.Time
	// Did is the number of the act that was done, from 1.
	Did int `json:",omitempty"`
	// Receiver got a message with a key that speaks of addresses, or of a storm's
	// incidents.
	Receiver, Key string   `json:",omitempty"`
	Addresses     []string `json:",omitempty"`
	Incidents     []string `json:",omitempty"`
}

// readChaos reads the world's book.
func readChaos(dir string) ([]chaosEntry, error) {
	text, err := os.ReadFile(filepath.Join(dir, "world.ndjson"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []chaosEntry
	for d := json.NewDecoder(bytes.NewReader(text)); d.More(); {
		var e chaosEntry
		if err := d.Decode(&e); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// A chaosEnd is what the stores hold when everything is over.
type chaosEnd struct {
	// Alarms are the addresses of the records that each alert holds.
	Alarms []chaosAlarm
	// Incidents are the numbers of those that hold alerts, those that tell of the program's
	// own health included: a storm's list names them, too.
	Incidents []string
	// Notices are those that are known, with what became of them by receiver.
	Notices map[string]map[string]string
}

type chaosAlarm struct {
	ID, Rule, Incident string
	Addresses          []string
}

// judgeChaos compares what the receivers got and the stores hold with the plan.
func judgeChaos(t *testing.T, seed uint64, dir string, plan *chaosPlan, history []string) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("seed %d (lives %v): %s", seed, history, fmt.Sprintf(format, args...))
	}
	book, err := readChaos(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "end.json"))
	if err != nil {
		t.Fatal(err)
	}
	var end chaosEnd
	if err := json.Unmarshal(text, &end); err != nil {
		t.Fatal(err)
	}
	byAddress := map[string]chaosRecord{}
	for _, r := range plan.records {
		byAddress[r.address()] = r
	}

	// What the rules found.
	held := map[string]string{} // rule and address → alert
	for _, a := range end.Alarms {
		for _, address := range a.Addresses {
			r, known := byAddress[address]
			if _, may := r.must(a.Rule); !known || !may {
				fail("invented: rule %q raised an alarm of %s (%+v)", a.Rule, address, r)
			}
			if other := held[a.Rule+" "+address]; other != "" && other != a.ID {
				fail("rule %q holds %s in two alerts", a.Rule, address)
			}
			held[a.Rule+" "+address] = a.ID
		}
	}
	for _, r := range plan.records {
		for _, rule := range []string{"Failed sign-in", "Application used"} {
			if must, _ := r.must(rule); must && held[rule+" "+r.address()] == "" {
				fail("lost: rule %q raised no alarm of %s (%+v)", rule, r.address(), r)
			}
		}
	}

	// What people were told.
	told := map[string]bool{} // receiver and address
	within := map[string][]string{}
	for _, a := range end.Alarms {
		within[a.Incident] = append(within[a.Incident], a.Addresses...)
	}
	for _, e := range book {
		if e.Receiver == "" {
			continue
		}
		if end.Notices[e.Key] == nil {
			fail("invented: %s got a message with the key %q, and no notice has it", e.Receiver, e.Key)
		}
		for _, incident := range e.Incidents {
			if !slices.Contains(end.Incidents, incident) {
				fail("invented: %s was told of incident %s, which has no alert", e.Receiver, incident)
			}
			for _, address := range within[incident] {
				told[e.Receiver+" "+address] = true
			}
		}
		for _, address := range e.Addresses {
			told[e.Receiver+" "+address] = true
			if _, may := byAddress[address].told(); !may {
				fail("invented: %s was told of %s (%+v)", e.Receiver, address, byAddress[address])
			}
		}
	}
	for _, receiver := range []string{"mail", "hook"} {
		for _, r := range plan.records {
			if must, _ := r.told(); must && !told[receiver+" "+r.address()] {
				fail("lost: %s was never told of %s (%+v)", receiver, r.address(), r)
			}
		}
	}
	got := map[string]bool{}
	for _, e := range book {
		got[e.Receiver+" "+e.Key] = true
	}
	for _, id := range slices.Sorted(maps.Keys(end.Notices)) {
		for receiver, status := range end.Notices[id] {
			if status != "delivered" {
				fail("notice %s for %s is %s when all is over", id, receiver, status)
			}
			short := "mail"
			if strings.HasSuffix(receiver, "/hook") {
				short = "hook"
			}
			if !got[short+" "+id] {
				fail("lost: notice %s is said to be delivered, and %s never got it", id, receiver)
			}
		}
	}
}
