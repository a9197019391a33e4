package incident

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
)

// TestStorms runs testdata/storm/*.txt: alarms to one group, and what of them goes
// out. A script is a list of lines, each followed by what it makes, marked ">":
//
//	limits storm=N day=N
//	at HH:MM[:SS]                sets the time (25:00 is one o'clock on the next day)
//	together N KIND SEVERITY     a commit that owes N notices, each of an incident of its own;
//	                             account=, and incident= for all of one
//	each N EVERY KIND SEVERITY   N commits with one each
//	wait UNTIL                   lets time pass; what is due is looked for each minute, and after
//	                             each commit
func TestStorms(t *testing.T) {
	files, err := filepath.Glob("testdata/storm/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runStorm(t, file, want)
			if flag.Lookup("update").Value.String() == "true" {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("%s (-want +got):\n%s", file, d)
			}
		})
	}
}

type stormScript struct {
	limits  Limits
	now     time.Time
	traffic Traffic
	held    map[string][]glassward.Notice
	next    int64
	keys    map[glassward.NoticeID]bool
	quiet   int // held since the last line that was written
	same    string
	more    int // like the last line
	out     bytes.Buffer
}

func runStorm(t *testing.T, file string, text []byte) []byte {
	s := &stormScript{held: map[string][]glassward.Notice{}, next: 1, keys: map[glassward.NoticeID]bool{}}
	sc := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		if strings.HasPrefix(line, ">") {
			continue
		}
		fmt.Fprintln(&s.out, line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			if err := s.run(words); err != nil {
				t.Fatalf("%s:%d: %v", file, n, err)
			}
			s.flush()
		}
	}
	return s.out.Bytes()
}

func stormClock(text string) (time.Time, error) {
	part := strings.Split(text, ":")
	at := time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second}[:len(part)] {
		n, err := strconv.Atoi(part[i])
		if err != nil {
			return at, err
		}
		at = at.Add(time.Duration(n) * unit)
	}
	return at, nil
}

func (s *stormScript) run(words []string) (err error) {
	args := map[string]string{}
	var plain []string
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			args[k] = v
		} else {
			plain = append(plain, w)
		}
	}
	number := func(text string) int { n, _ := strconv.Atoi(text); return n }
	offers := func(n int, kind, severity string) (out []offer) {
		for range n {
			o := offer{notice: glassward.Notice{Tenant: "contoso", Group: "oncall", Kind: kind, Created: s.now, Incident: int64(number(args["incident"]))}}
			if o.notice.Incident == 0 {
				o.notice.Incident = s.next
				s.next++
			}
			o.notice.Severity, err = glassward.ParseSeverity(severity)
			o.notice.Why = fmt.Sprintf("%s of %d", kind, o.notice.Incident)
			if a := args["account"]; a != "" {
				o.accounts = strings.Split(a, ",")
			}
			o.notice.ID = noticeID("contoso", o.notice.Incident, "oncall", []string{kind, s.now.String(), fmt.Sprint(len(out))})
			out = append(out, o)
		}
		return out
	}
	switch words[0] {
	case "limits":
		s.limits = Limits{Storm: number(args["storm"]), Day: number(args["day"])}
	case "at":
		s.now, err = stormClock(plain[0])
	case "together":
		s.pass(offers(number(plain[0]), plain[1], plain[2]))
	case "each":
		every, err := time.ParseDuration(plain[1])
		if err != nil {
			return err
		}
		for range number(plain[0]) {
			s.pass(offers(1, plain[2], plain[3]))
			s.now = s.now.Add(every)
			s.look()
		}
	case "wait":
		until, err := stormClock(plain[0])
		if err != nil {
			return err
		}
		for s.now.Before(until) {
			s.now = s.now.Add(time.Minute)
			s.look()
		}
	default:
		return fmt.Errorf("unknown word %q", words[0])
	}
	return err
}

func (s *stormScript) look() {
	if len(s.traffic.Telling(s.now)) > 0 {
		var told []glassward.Notice
		s.traffic, told = s.traffic.tell("contoso", "oncall", s.held, s.now)
		s.told(told)
	}
}

func (s *stormScript) pass(offers []offer) {
	var notices []glassward.Notice
	s.traffic, notices = s.traffic.pass("contoso", "oncall", s.limits, offers, s.now)
	s.told(notices)
}

func (s *stormScript) told(notices []glassward.Notice) {
	for _, n := range notices {
		if s.keys[n.ID] {
			fmt.Fprintf(&s.out, "> the key of a notice was used before: %s\n", n.Kind)
		}
		s.keys[n.ID] = true
		if n.Held != "" {
			s.held[n.Held] = append(s.held[n.Held], n)
			if s.more > 0 {
				s.flush()
			}
			s.quiet++
			continue
		}
		line := fmt.Sprintf("%s %s", n.Severity, n.Kind)
		if n.Subject == "" && line == s.same {
			s.more++
			continue
		}
		s.flush()
		if n.Subject == "" {
			s.same = line
		}
		fmt.Fprintf(&s.out, "> %s %s %s", s.now.Format("15:04:05"), n.Severity, n.Kind)
		if n.Incident != 0 {
			fmt.Fprintf(&s.out, " about %d", n.Incident)
		}
		if n.Subject != "" {
			fmt.Fprintf(&s.out, ": %s", n.Subject)
		}
		fmt.Fprintln(&s.out)
		for i, line := range strings.Split(n.Text, "\n") {
			if i == 3 {
				fmt.Fprintf(&s.out, ">     %d more lines\n", strings.Count(n.Text, "\n")-2)
				break
			}
			if line != "" {
				fmt.Fprintf(&s.out, ">     %s\n", line)
			}
		}
	}
}

func (s *stormScript) flush() {
	if s.quiet > 0 {
		fmt.Fprintf(&s.out, "> %d held\n", s.quiet)
	}
	if s.more > 0 {
		fmt.Fprintf(&s.out, ">     and %d like it\n", s.more)
	}
	s.quiet, s.more, s.same = 0, 0, ""
}
