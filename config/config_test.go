package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"glassward/config"
)

// TestLoad reads testdata/*.txtar: files as a person wrote them, and in the file
// "problems" what Load has to say about them, one a line; "tenants" names those
// that stand nevertheless, or is "none" where the whole configuration is refused.
func TestLoad(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			want := map[string]string{}
			for _, f := range archive.Files {
				if f.Name == "problems" || f.Name == "tenants" {
					want[f.Name] = string(f.Data)
					continue
				}
				path := filepath.Join(dir, f.Name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, f.Data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c, problems := config.Load(filepath.Join(dir, "glassward.yaml"))
			var got strings.Builder
			for _, p := range problems {
				text := strings.ReplaceAll(p.Error(), dir+string(filepath.Separator), "")
				got.WriteString(strings.SplitN(text, "\n", 2)[0] + "\n")
			}
			if diff := cmp.Diff(want["problems"], got.String()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			names := "none\n"
			if c != nil {
				names = ""
				for _, x := range c.Each {
					names += x.Name + "\n"
				}
			}
			if diff := cmp.Diff(want["tenants"], names); diff != "" {
				t.Errorf("tenants (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "5m": 5 * time.Minute, "400d": 400 * 24 * time.Hour, "250ms": 250 * time.Millisecond,
		"PT5M": 5 * time.Minute, "P1D": 24 * time.Hour, "P1DT2H3M4S": 26*time.Hour + 3*time.Minute + 4*time.Second,
	} {
		got, err := config.ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "m", "5 m", "PT", "P", "PT5", "1w", "-5m", "99999999999d"} {
		if got, err := config.ParseDuration(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
	for _, d := range []config.Duration{config.Duration(5 * time.Minute), config.Duration(48 * time.Hour), config.Duration(1500 * time.Millisecond)} {
		text, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back config.Duration
		if err := back.UnmarshalText(text); err != nil || back != d {
			t.Errorf("%v is written %s and read back as %v, %v", d, text, back, err)
		}
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]config.Bytes{"0": 0, "512": 512, "10 MB": 10_000_000, "1GiB": 1 << 30, "2KiB": 2048, "7B": 7} {
		got, err := config.ParseBytes(text)
		if err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GiB", "-1", "1.5GiB", "9999999999999TiB", "1PB"} {
		if got, err := config.ParseBytes(text); err == nil {
			t.Errorf("%q is taken as %d", text, got)
		}
	}
}

func TestSchemaNamesEveryField(t *testing.T) {
	text, err := config.Schema(false)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"data", "listen", "publicUrl", "mailServers", "actionGroups", "emailReceivers", "retention", "rules"} {
		if !strings.Contains(string(text), `"`+field+`"`) {
			t.Errorf("the schema does not know %s", field)
		}
	}
	text, err = config.Schema(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"tenant", "emergencyAccounts", "objectId", "folders"} {
		if !strings.Contains(string(text), `"`+field+`"`) {
			t.Errorf("the tenant schema does not know %s", field)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, good := range map[string]bool{
		"contoso": true, "hafen-kante.2": true, "": false, "a b": false, "../x": false, "Glassward": false, "default": false,
		"11111111-0000-4000-8000-00000000000A": false, // could be another tenant's id
	} {
		if err := config.CheckName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestRulesFolderMustBeThere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "glassward.yaml")
	if err := os.WriteFile(file, []byte("data: d\nrules: mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := config.Load(file)
	if c != nil || len(problems) != 1 || problems[0].Line != 2 || !strings.Contains(problems[0].Message, "there is no folder") {
		t.Errorf("%v, %v", c, problems)
	}
	if err := os.Mkdir(filepath.Join(dir, "mine"), 0o700); err != nil {
		t.Fatal(err)
	}
	if c, problems = config.Load(file); c == nil {
		t.Errorf("with the folder: %v", problems)
	}
}
