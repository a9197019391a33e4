package acceptance_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
	"glassward/internal/mailsink"
)

// A simulated is a made-up tenant that is served on the loopback, with the file
// of its addresses.
type simulated struct {
	world     *entrasim.World
	cloud     *cloud.Cloud
	at        cloud.Endpoints
	endpoints string // file for init --endpoints
}

// simulate serves a world that shows its records within seconds.
func simulate(t *testing.T, o entrasim.Options) *simulated {
	t.Helper()
	if o.Start.IsZero() {
		o.Start = time.Now().Add(-2 * time.Hour)
	}
	if o.Users == 0 {
		o.Users = 20
	}
	if o.Rates == nil {
		r := entrasim.Calm()
		o.Rates = &r
	}
	o.Prompt = true
	s := &simulated{world: entrasim.NewWorld(o)}
	s.cloud = cloud.New(cloud.Options{Worlds: []*entrasim.World{s.world}, Seed: o.Seed})
	var err error
	if s.at, err = s.cloud.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cloud.Close)
	dir := t.TempDir()
	s.endpoints = filepath.Join(dir, "endpoints.yaml")
	text := fmt.Sprintf("authority: %s\ngraph: %s\nactivity: %s\nresourceManager: %s\nlogAnalytics: %s\nca: ca.pem\n",
		s.at.Authority, s.at.Graph, s.at.Activity, s.at.ResourceManager, s.at.LogAnalytics)
	for name, text := range map[string][]byte{"endpoints.yaml": []byte(text), "ca.pem": s.at.CA} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// A conversation is the command line with a person in front of it.
type conversation struct {
	t   *testing.T
	in  io.WriteCloser
	cmd *exec.Cmd

	mu   sync.Mutex
	more *sync.Cond
	said strings.Builder
	read int // how far expect has come
	done bool
}

func converse(t *testing.T, dir string, args ...string) *conversation {
	t.Helper()
	c := &conversation{t: t, cmd: exec.CommandContext(t.Context(), "glassward", args...)}
	c.more = sync.NewCond(&c.mu)
	c.cmd.Dir = dir
	r, w := io.Pipe()
	c.cmd.Stdout, c.cmd.Stderr = w, w
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		in := bufio.NewReader(r)
		b := make([]byte, 4096)
		for {
			n, err := in.Read(b)
			c.mu.Lock()
			c.said.Write(b[:n])
			c.done = err != nil
			c.more.Broadcast()
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { _ = w.Close() })
	return c
}

// hears waits until what the program says next matches, and goes on behind it.
func (c *conversation) hears(pattern string) {
	c.t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.AfterFunc(time.Minute, func() {
		c.mu.Lock()
		c.done = true
		c.more.Broadcast()
		c.mu.Unlock()
	})
	defer deadline.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if at := re.FindStringIndex(c.said.String()[c.read:]); at != nil {
			c.read += at[1]
			return
		}
		if c.done {
			c.t.Fatalf("the program never said %q; it said\n%s", pattern, c.said.String())
		}
		c.more.Wait()
	}
}

func (c *conversation) answer(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, text+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// A newcomer's way from nothing to a mail that has arrived, as the script
// testdata/init.txtar tells it: "hears" is what the program says, "answers" what
// is typed, the other words what the person does elsewhere.
func TestInit(t *testing.T) {
	t.Parallel()
	s := simulate(t, entrasim.Options{Seed: 31})
	sink := listenMail(t, mailsink.Options{})
	archive, err := txtar.ParseFile("testdata/init.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := converse(t, dir, "init", "--endpoints", s.endpoints, "--smtp-tls", "none")
	app := s.world.Register(entrasim.Application{DisplayName: "Glassward of a newcomer"})
	known := strings.NewReplacer("$TENANT", entrasim.TenantID, "$EA01", entrasim.EA01, "$EA02", entrasim.EA02, "$APP", app.AppID, "$SMTP", sink.Addr())
	for l := range strings.Lines(string(archive.Comment)) {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		word, rest, _ := strings.Cut(l, " ")
		rest = known.Replace(rest)
		switch word {
		case "hears":
			c.hears(rest)
		case "answers":
			c.answer(rest)
		case "uploads": // the certificate to the registration
			s.world.AddCertificate(app.AppID, certificateIn(t, filepath.Join(dir, rest)))
		case "consents":
			for _, p := range strings.Fields(rest) {
				s.world.Grant(app.AppID, p)
			}
		case "signs-in":
			s.world.Advance(time.Now())
			if err := s.world.Do(rest); err != nil {
				t.Fatal(err)
			}
		case "gets": // a mail
			until(t, func() error {
				for _, m := range sink.Mails() {
					if strings.Contains(m.Subject()+"\n"+m.Part("text/plain"), rest) {
						return nil
					}
				}
				return fmt.Errorf("no mail says %q; there are %d", rest, len(sink.Mails()))
			})
		default:
			t.Fatalf("unknown word %q", word)
		}
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("init ends with %v\n%s", err, c.said.String())
	}
	proofs, err := filepath.Glob(filepath.Join(dir, "data/proofs/*.md"))
	if err != nil || len(proofs) != 1 {
		t.Fatalf("proofs: %v %v", proofs, err)
	}
	text, err := os.ReadFile(proofs[0])
	if err != nil || !strings.Contains(string(text), "From the sign-in to the receiver") {
		t.Errorf("the proof says %s (%v)", text, err)
	}
	// What protects the accounts is looked at from the first day.
	text, err = os.ReadFile(filepath.Join(dir, "tenants/newcomer.yaml"))
	if err != nil || !strings.Contains(string(text), "\n  directory: {every: 5m, quick: 1m}") {
		t.Errorf("the tenant's file says %s (%v)", text, err)
	}
	info, err := os.Stat(filepath.Join(dir, "newcomer.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is %v (%v)", info, err)
	}
}

func certificateIn(t *testing.T, file string) entrasim.Certificate {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		t.Fatalf("%s holds no certificate:\n%s", file, text)
	}
	sum := sha1.Sum(block.Bytes)
	return entrasim.Certificate{KeyID: hex.EncodeToString(sum[:]), DER: block.Bytes, From: time.Now().Add(-time.Hour), To: time.Now().AddDate(1, 0, 0)}
}
