package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glassward/config"
)

// Ways besides mail, as flags give them, become receivers that the configuration
// accepts; what lacks something is refused before anything is written.
func TestInitAlso(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(dir string, also ...string) (int, string) {
		args := []string{"init", "--no-input", "--dir", dir, "--tenant", "11111111-2222-4333-8444-555555555555", "--name", "contoso", "--road", "files", "--folder", dir,
			"--account", "7c1f8a2e-0d7d-4a57-9d0e-3c7a0b9f2a11"}
		for _, a := range also {
			args = append(args, "--also", strings.ReplaceAll(a, "SECRET", "file:"+secret))
		}
		var out bytes.Buffer
		code := Main(context.Background(), Env{Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }})
		return code, out.String()
	}
	dir := t.TempDir()
	code, said := run(dir,
		"pushover token=SECRET user=SECRET",
		"sms account=AC0123456789abcdef0123456789abcdef secret=SECRET from=+15005550006 countryCode=49 phoneNumber=1701234567",
		"pagerduty routingKey=SECRET",
		"ntfy topic=SECRET", "slack url=SECRET", "teams url=SECRET")
	if code != 0 {
		t.Fatalf("%d: %s", code, said)
	}
	c, problems := config.Load(filepath.Join(dir, "glassward.yaml"))
	if c == nil || len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := strings.Join(c.Receivers("emergency"), " "); got != "teams slack ntfy pushover pagerduty sms" {
		t.Errorf("receivers: %s", got)
	}
	if p := c.PhoneProviders; len(p) != 1 || p[0].From != "+15005550006" || len(c.Each) != 1 || strings.Join(c.Each[0].ActionGroups, " ") != "emergency" {
		t.Errorf("%+v, tenant %+v", p, c.Each)
	}
	for also, want := range map[string]string{
		"pigeon home=yes":                              `"pigeon" is none of them`,
		"pushover token=SECRET":                        "lacks user=",
		"pushover token=SECRET user=SECRET device=x":   "has no field device",
		"slack url=https://hooks.slack.com/services/x": "no reference to a secret",
		"sms account=AC1 secret=SECRET from=+15005550006 countryCode=49 phoneNumber=1": "AC and 32 hex digits",
		"slack url": "is not field=value",
	} {
		dir := t.TempDir()
		code, said := run(dir, also)
		if _, err := os.Stat(filepath.Join(dir, "glassward.yaml")); code == 0 || !strings.Contains(said, want) || err == nil {
			t.Errorf("%s: %d %v: %s", also, code, err, said)
		}
	}
	if code, said := run(t.TempDir(), "slack url=SECRET", "slack url=SECRET"); code == 0 || !strings.Contains(said, "there already") {
		t.Errorf("twice: %d %s", code, said)
	}
}
