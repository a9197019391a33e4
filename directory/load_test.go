package directory_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward/directory"
)

// Each file of testdata/load is a snapshot: a folder as it lies on the disk, and in
// "want" what is read of it. A file "parts" holds the lines of a manifest, from which
// it is sealed: part, object or "-", files with commas or "-", then the reason and
// after "needs" the permission.
func TestOpen(t *testing.T) {
	files, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no snapshots in testdata/load", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir, want := t.TempDir(), -1
			for i, f := range a.Files {
				switch f.Name {
				case "want":
					want = i
				case "parts":
				default:
					name := filepath.Join(dir, f.Name)
					if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(name, f.Data, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, f := range a.Files {
				if f.Name == "parts" {
					seal(t, dir, string(f.Data))
				}
			}
			// What the file calls "changed/X" is put in X's place after it was sealed.
			for _, f := range a.Files {
				if name, ok := strings.CutPrefix(f.Name, "changed/"); ok {
					if err := os.WriteFile(filepath.Join(dir, name), f.Data, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := os.RemoveAll(filepath.Join(dir, "changed")); err != nil {
				t.Fatal(err)
			}
			have := describe(directory.Open(dir, directory.Limits{}))
			have = strings.ReplaceAll(have, dir, "DIR")
			// A zip archive of the same files is the same snapshot.
			zipped := filepath.Join(t.TempDir(), "s.zip")
			if err := os.WriteFile(zipped, pack(t, os.DirFS(dir).(interface {
				ReadFile(string) ([]byte, error)
			}), list(t, dir)), 0o600); err != nil {
				t.Fatal(err)
			}
			if z := strings.ReplaceAll(describe(directory.Open(zipped, directory.Limits{})), zipped, "DIR"); z != have {
				t.Errorf("the zip archive is read otherwise:\n%s", z)
			}
			if os.Getenv("UPDATE") != "" {
				a.Files[want].Data = []byte(have)
				if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if want < 0 || string(a.Files[want].Data) != have {
				t.Errorf("have:\n%s", have)
			}
		})
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, name)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func pack(t *testing.T, fsys interface{ ReadFile(string) ([]byte, error) }, names []string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := fsys.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func seal(t *testing.T, dir, lines string) {
	t.Helper()
	taken := time.Date(2026, 3, 14, 8, 0, 0, 0, time.UTC)
	m := directory.Manifest{Tenant: "11111111-1111-1111-1111-111111111111", Taken: taken}
	for line := range strings.Lines(lines) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if len(f) < 3 {
			continue
		}
		p := directory.ManifestPart{Part: directory.Part(f[0])}
		if f[1] != "-" {
			p.Object = f[1]
		}
		if f[2] != "-" {
			p.Read = &taken
			for name := range strings.SplitSeq(f[2], ",") {
				p.Files = append(p.Files, directory.ManifestFile{Path: name})
			}
		}
		if len(f) == 4 {
			p.Reason, p.Permission, _ = strings.Cut(f[3], " needs ")
		}
		m.Parts = append(m.Parts, p)
	}
	if err := directory.Seal(dir, m); err != nil {
		t.Fatal(err)
	}
}

// describe writes what was read as lines: each part's reading, its problems, and
// what was found.
func describe(s *directory.Snapshot, err error) string {
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	c := s.Contents()
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("tenant %s %s", c.Tenant, c.Name)
	for _, p := range directory.Parts() {
		r, ok := c.Readings[p]
		if ok {
			say("%s: %s", p, strings.TrimSpace(string(r.State)+" "+r.Why()))
		}
		for _, x := range r.Problems {
			say("  %s", x)
		}
		for _, id := range slices.Sorted(maps.Keys(c.ObjectReadings[p])) {
			r := c.ObjectReadings[p][id]
			say("%s of %s: %s", p, id, strings.TrimSpace(string(r.State)+" "+r.Why()))
			for _, x := range r.Problems {
				say("  %s", x)
			}
		}
	}
	for _, u := range c.Users {
		say("user %s %s enabled %v synced %v %v", u.ID, u.UPN, u.Enabled, u.Synced, u.Extra.Names())
		m := s.MemberOf(u.ID)
		say("  in %v, complete %v", m.All(), m.Complete())
		for _, g := range c.Groups {
			in, path, why := m.In(g.ID)
			say("  in %s: %v %v %s", g.DisplayName, in, path, why)
		}
		for _, x := range c.Registered[u.ID] {
			say("  method %s %s %s", x.Kind, x.AAGUID, x.PasskeyType)
		}
	}
	for _, p := range s.Policies() {
		say("policy %s %q %s", p.ID, p.DisplayName, p.State)
		for _, x := range p.Problems {
			say("  %s", x)
		}
		if n := p.Conditions.Extra.Names(); n != nil {
			say("  also %v", n)
		}
		if p.Hidden != nil {
			say("  v1.0 hides %v", p.Hidden)
		}
		say("  %s", compact(p.Conditions))
		if p.Grant != nil {
			say("  grant %s", compact(*p.Grant))
		}
		if p.Session != nil {
			say("  session %s", compact(*p.Session))
		}
	}
	for _, l := range c.Locations {
		say("location %s %s %v %v bad %v", l.ID, l.Kind, l.Ranges, l.Countries, l.Bad)
	}
	if c.Methods != nil {
		for _, m := range c.Methods.Configurations {
			say("method %s %s include %v exclude %v", m.ID, m.State, m.Include, m.Exclude)
		}
	}
	return b.String()
}

// compact writes a value as JSON without what is empty.
func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	var x any
	_ = json.Unmarshal(b, &x)
	b, _ = json.Marshal(prune(x))
	return string(b)
}

func prune(x any) any {
	if m, ok := x.(map[string]any); ok {
		for k, v := range m {
			if v = prune(v); v == nil || v == "" || v == false || v == 0.0 {
				delete(m, k)
			} else {
				m[k] = v
			}
		}
		if len(m) == 0 {
			return nil
		}
	}
	return x
}

// An archive whose paths lead out, or that unpacks beyond all bounds, is refused
// before anything of it is used.
func TestHostileArchives(t *testing.T) {
	write := func(fill func(*zip.Writer)) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		fill(z)
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "s.zip")
		if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	put := func(name, text string) func(*zip.Writer) {
		return func(z *zip.Writer) {
			w, err := z.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, text); err != nil {
				t.Fatal(err)
			}
		}
	}
	cases := []struct {
		name, want string
		limits     directory.Limits
		fill       func(*zip.Writer)
	}{
		{"climbs", `a path leads out of the snapshot: "../users.json"`, directory.Limits{}, put("../users.json", "[]")},
		{"absolute", `a path leads out of the snapshot: "/users.json"`, directory.Limits{}, put("/users.json", "[]")},
		{"windows", `a path leads out of the snapshot: "a\\..\\users.json"`, directory.Limits{}, put(`a\..\users.json`, "[]")},
		{"link", "a path leads out of the snapshot", directory.Limits{}, func(z *zip.Writer) {
			h := &zip.FileHeader{Name: "users.json"}
			h.SetMode(os.ModeSymlink | 0o777)
			w, err := z.CreateHeader(h)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, "/etc/passwd"); err != nil {
				t.Fatal(err)
			}
		}},
		{"bomb", "that is no snapshot", directory.Limits{}, func(z *zip.Writer) {
			w, err := z.Create("users.json")
			if err != nil {
				t.Fatal(err)
			}
			zeros := make([]byte, 1<<20)
			for range 80 {
				if _, err := w.Write(zeros); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"large", "unpacks to more than 10 bytes", directory.Limits{Bytes: 10}, put("users.json", strings.Repeat(" ", 11))},
		{"no zip", "zip", directory.Limits{}, func(*zip.Writer) {}},
		{"manifest climbs", "a path leads out of the snapshot", directory.Limits{}, put("manifest.json", `{"format":"glassward-snapshot","version":1,"parts":[{"part":"users","files":[{"path":"../x"}]}]}`)},
		{"many files", "too many files", directory.Limits{Files: 1}, put("users.json", "[]")},
	}
	for _, c := range cases {
		name := write(c.fill)
		if c.name == "no zip" {
			if err := os.WriteFile(name, []byte("PK nothing"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := directory.Open(name, c.limits)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	// A folder whose file is a link out of it: the file is not read.
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "users.json")
	if err := os.WriteFile(outside, []byte(`[{"id":"a"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "users.json")); err != nil {
		t.Fatal(err)
	}
	s, err := directory.Open(dir, directory.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Read(directory.Users) || len(s.Contents().Users) > 0 {
		t.Error("a link out of the folder was followed")
	}
}

// Real exports are wild: every one of them loads, and what is odd in it is named.
func TestExportsOfOthers(t *testing.T) {
	text, err := os.ReadFile("../../shared/samples/ca_policies.ndjson")
	if os.IsNotExist(err) {
		t.Log("the samples are not here")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := directory.FromPolicies(text)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Policies()); n != 209 {
		t.Errorf("%d policies, want 209", n)
	}
	states := map[string]int{}
	for _, p := range s.Policies() {
		states[p.State]++
		if p.ID == "" {
			t.Errorf("%q has no id", p.DisplayName)
		}
		if g := p.Grant; g != nil && slices.Contains(g.BuiltIn, "Block") {
			t.Errorf("%q: Block was not read as block", p.DisplayName)
		}
	}
	if want := map[string]int{"enabled": 52, "disabled": 82, "enabledForReportingButNotEnforced": 75}; !maps.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
	for _, x := range s.Problems() {
		t.Log(x)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"value":[{"id":"a","conditions":{"users":{"includeUsers":["All"]}}}]}`))
	f.Add([]byte("\ufeff[{\"Id\":\"a\",\"Conditions\":{}}]"))
	f.Add([]byte(`{"conditions":{"locations":[],"platforms":7,"users":{"includeUsers":"All"}},"grantControls":{"builtInControls":["Block"]}}`))
	f.Add([]byte("\xff\xfe{\x00}\x00"))
	f.Add([]byte(`{"responses":[{"id":"x","status":200,"body":{"value":[{"id":"y"}]}}]}`))
	f.Add([]byte(`[{"value":[{"id":"a"}],"@odata.nextLink":"x"},{"value":[]}]`))
	f.Add([]byte(`{"Tables":[{"Columns":[{"ColumnName":"Table"},{"ColumnName":"Newest"},{"name":"Workspace"}],"Rows":[["SigninLogs","2026-06-01T11:00:00Z","/w"],["AuditLogs"],7]}]}`))
	f.Add([]byte(`{"value":[{"id":"/w/providers/Microsoft.SecurityInsights/automationRules/a","kind":"nrt","properties":{"entityMappings":[{"entityType":1}],"triggeringLogic":{"conditions":[{"conditionProperties":{"propertyValues":"x"}}]},"actions":[{"actionConfiguration":{"status":"closed"}}]}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := directory.FromPolicies(text); err == nil {
			_ = describe(s, nil)
		}
		// The same text as each part of a snapshot.
		dir := t.TempDir()
		m := directory.Manifest{}
		if err := os.WriteFile(filepath.Join(dir, "f.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, p := range directory.Parts() {
			m.Parts = append(m.Parts, directory.ManifestPart{Part: p, Files: []directory.ManifestFile{{Path: "f.json"}}},
				directory.ManifestPart{Part: p, Object: "o", Files: []directory.ManifestFile{{Path: "f.json"}}})
		}
		if err := directory.Seal(dir, m); err != nil {
			t.Fatal(err)
		}
		s, err := directory.Open(dir, directory.Limits{})
		if err != nil {
			t.Fatalf("a bad part is no bad snapshot: %v", err)
		}
		_ = describe(s, nil)
		_, _ = s.Holders(directory.GlobalAdministrator)
	})
}

// What a snapshot of a large tenant costs to load.
func BenchmarkOpen150000Users(b *testing.B) {
	dir := b.TempDir()
	var users, groups, members bytes.Buffer
	guid := func(kind, i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, i) }
	users.WriteString(`{"value":[`)
	for i := range 150_000 {
		if i > 0 {
			users.WriteByte(',')
		}
		fmt.Fprintf(&users, `{"id":"%s","userPrincipalName":"user%d@contoso.onmicrosoft.com","displayName":"User %d","accountEnabled":true,"userType":"Member","createdDateTime":"2024-05-24T09:27:53Z","onPremisesSyncEnabled":null,"assignedLicenses":[{"skuId":"c7df2760-2c81-4ef7-b578-5b5392b571df","disabledPlans":[]}],"mail":null,"otherMails":[],"jobTitle":"Clerk","department":"Sales"}`, guid(1, i), i, i)
	}
	users.WriteString(`]}`)
	groups.WriteString(`{"value":[`)
	members.WriteString(`{"responses":[`)
	for i := range 20_000 {
		if i > 0 {
			groups.WriteByte(',')
			members.WriteByte(',')
		}
		fmt.Fprintf(&groups, `{"id":"%s","displayName":"Group %d","securityEnabled":true,"groupTypes":[]}`, guid(2, i), i)
		fmt.Fprintf(&members, `{"id":"%s","status":200,"body":{"value":[`, guid(2, i))
		for j := range 20 {
			if j > 0 {
				members.WriteByte(',')
			}
			fmt.Fprintf(&members, `{"@odata.type":"#microsoft.graph.user","id":"%s"}`, guid(1, (i*7+j*991)%150_000))
		}
		members.WriteString(`]}}`)
	}
	groups.WriteString(`]}`)
	members.WriteString(`]}`)
	for name, text := range map[string][]byte{"users.json": users.Bytes(), "groups.json": groups.Bytes(), "groupMembers.json": members.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	if err := directory.Seal(dir, directory.Manifest{Parts: []directory.ManifestPart{
		{Part: directory.Users, Files: []directory.ManifestFile{{Path: "users.json"}}},
		{Part: directory.Groups, Files: []directory.ManifestFile{{Path: "groups.json"}}},
		{Part: directory.GroupMembers, Files: []directory.ManifestFile{{Path: "groupMembers.json"}}},
	}}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s, err := directory.Open(dir, directory.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if n := len(s.Contents().Users); n != 150_000 {
			b.Fatal(n)
		}
	}
}

// Whoever waits is told how much was read, up to all of it; of a folder without a
// manifest nobody knows beforehand how much there is.
func TestProgress(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"users.json": `{"value":[]}`, "groups.json": `{"value":[{"id":"1"}]}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open := func() (steps [][2]int64) {
		if _, err := directory.Open(dir, directory.Limits{Progress: func(read, of int64) { steps = append(steps, [2]int64{read, of}) }}); err != nil {
			t.Fatal(err)
		}
		return steps
	}
	if steps := open(); len(steps) != 2 || steps[1] != [2]int64{34, 0} {
		t.Errorf("without a manifest: %v", steps)
	}
	if err := directory.Seal(dir, directory.Manifest{Parts: []directory.ManifestPart{
		{Part: directory.Users, Files: []directory.ManifestFile{{Path: "users.json"}}},
		{Part: directory.Groups, Files: []directory.ManifestFile{{Path: "groups.json"}, {Path: "gone.json"}}},
	}}); err == nil {
		t.Fatal("a file that is not there was sealed")
	}
	if err := directory.Seal(dir, directory.Manifest{Parts: []directory.ManifestPart{
		{Part: directory.Users, Files: []directory.ManifestFile{{Path: "users.json"}}},
		{Part: directory.Groups, Files: []directory.ManifestFile{{Path: "groups.json"}}},
	}}); err != nil {
		t.Fatal(err)
	}
	steps := open()
	if len(steps) != 3 || steps[0][1] != 0 || steps[2][0] != steps[2][1] || steps[1][0] >= steps[2][0] {
		t.Errorf("with a manifest: %v", steps)
	}
}
