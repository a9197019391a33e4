package acceptance_test

import (
	"bytes"
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

	"glassward/internal/fault"
)

// The variables of TestChaos: how many seeds, or which one; and, in the process
// that is killed, the folder of its run.
const (
	chaosSeeds = "GLASSWARD_CHAOS_SEEDS"
	chaosSeed  = "GLASSWARD_CHAOS_SEED"
	chaosLife  = "GLASSWARD_CHAOS_LIFE"
)

// chaosElsewhere are the failpoints that no run passes. Each is killed at by its
// own package's tests.
var chaosElsewhere = map[fault.Name]string{
	"logstore.giveup.before":  "an event store that has lost what was acknowledged",
	"logstore.giveup.after":   "an event store that has lost what was acknowledged",
	"state.giveup.before":     "a control store that has lost what was acknowledged",
	"state.giveup.after":      "a control store that has lost what was acknowledged",
	"logstore.migrate.copied": "a store of an older form",
	"state.migrate.copied":    "a store of an older form",
	"logstore.retain.before":  "records that are older than a day, the least that can be kept",
	"logstore.retain.after":   "records that are older than a day, the least that can be kept",
}

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
	if text := os.Getenv(chaosSeeds); text != "" {
		n = chaosNumber(t, chaosSeeds, text)
	}
	if text := os.Getenv(chaosSeed); text != "" {
		first, n = chaosNumber(t, chaosSeed, text), 1
	}
	all, err := fault.Points(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	points := slices.DeleteFunc(all, func(p fault.Name) bool { return chaosElsewhere[p] != "" })
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
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	plan := newChaosPlan(seed)
	lives := 1 + r.IntN(4)
	torn := false
	var history []string
	for life := range lives + 1 {
		spec := ""
		if life < lives {
			// Most points are passed often, and what matters may be the first time or
			// a late one; others are passed only where the plan leads there.
			likely := slices.DeleteFunc(slices.Clone(points), func(p fault.Name) bool { return !plan.leadsTo(string(p), life, torn) })
			point := likely[r.IntN(len(likely))]
			nth := 1
			if r.IntN(3) > 0 && often(string(point)) {
				nth += min(int(r.ExpFloat64()*8), 80)
			}
			spec = fmt.Sprintf("%s:%d=kill", point, nth)
		}
		cmd := exec.CommandContext(t.Context(), binary, "-test.run", "^TestChaos$", "-test.timeout", "5m")
		cmd.Env = append(os.Environ(), chaosLife+"="+dir, chaosSeed+"="+fmt.Sprint(seed), fault.Variable+"="+spec)
		out, err := cmd.CombinedOutput()
		killed := signalOf(err) == syscall.SIGKILL
		if err != nil && !killed {
			t.Fatalf("seed %d, life %d (%s), after %v: %v\n%s", seed, life, spec, history, err, out)
		}
		history = append(history, spec)
		if killed {
			name, _, _ := strings.Cut(spec, ":")
			died = append(died, fault.Name(name))
			if torn = r.IntN(3) == 0; torn {
				history[life] += ", torn tails"
				tearChaos(t, dir, r)
			}
			continue
		}
		break // it came to the end of the plan
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

// often says whether a life passes a point many times.
func often(point string) bool {
	for _, prefix := range []string{"logstore.append", "logstore.commit", "logstore.journal", "notify.", "state.commit", "state.head"} {
		if strings.HasPrefix(point, prefix) {
			return true
		}
	}
	return false
}

// leadsTo says whether the plan comes by a point in a life, as far as can be said.
func (p *chaosPlan) leadsTo(point string, life int, torn bool) bool {
	for prefix, comes := range map[string]bool{
		"backup.take": p.has("backup"), "logstore.backup": p.has("backup"), "private.copy": p.has("backup"), "state.snapshot": p.has("backup"),
		"backup.aside": p.has("restore"), "backup.finish": p.has("restore"), "backup.merge": p.has("restore"), "backup.restore": p.has("restore"), "logstore.floor": p.has("restore"),
		"logstore.compact": p.has("compact"), "logstore.migrate": life == 0, "state.migrate": life == 0,
		"logstore.damage": torn, "state.aside": torn,
	} {
		if strings.HasPrefix(point, prefix) {
			return comes
		}
	}
	return true
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
	// Receiver got a message with a key that speaks of addresses.
	Receiver, Key string   `json:",omitempty"`
	Addresses     []string `json:",omitempty"`
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
	// Notices are those that are known, with what became of them by receiver.
	Notices map[string]map[string]string
}

type chaosAlarm struct {
	ID, Rule  string
	Addresses []string
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
	for _, e := range book {
		if e.Receiver == "" {
			continue
		}
		if end.Notices[e.Key] == nil {
			fail("invented: %s got a message with the key %q, and no notice has it", e.Receiver, e.Key)
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
