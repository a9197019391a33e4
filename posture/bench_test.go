package posture

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward/directory"
)

// BenchmarkAssess150000Users is what it costs to open and judge the snapshot of a large
// tenant: 150,000 people as Graph tells them, 20,000 groups of twenty, in a folder as it
// is read from Graph. Where the system tells it, peak-MB is the most memory that the
// process held: 500 are allowed.
func BenchmarkAssess150000Users(b *testing.B) {
	dir := largeTenant(b, 150_000, 20_000)
	o := declaredOptions()
	debug.FreeOSMemory()
	forgetPeak()
	b.ReportAllocs()
	for b.Loop() {
		s, err := directory.Open(dir, directory.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if n := len(s.Contents().Users); n != 150_004 {
			b.Fatalf("%d people were read: %v", n, s.Reading(directory.Users, ""))
		}
		r, err := Assess(s, o)
		if err != nil {
			b.Fatal(err)
		}
		if f := r.Finding("ACC-02"); f.Result != Pass {
			b.Fatalf("ACC-02 is %s: %s", f.Result, f.Reason)
		}
	}
	if peak := peak(); peak > 0 {
		b.ReportMetric(float64(peak)/1000, "peak-MB")
		if peak > 500_000 {
			b.Errorf("%d kB were held at once", peak)
		}
	}
}

// largeTenant writes the good tenant with so many people and groups more, as a folder
// with a manifest and pages as Graph answers them.
func largeTenant(b *testing.B, users, groups int) string {
	b.Helper()
	a, err := txtar.ParseFile("testdata/tenant.txtar")
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	m := directory.Manifest{Tenant: "11111111-1111-4111-8111-111111111111", Taken: taken}
	parts := map[directory.Part]*directory.ManifestPart{}
	write := func(p directory.Part, name string, text func(*bufio.Writer)) {
		if parts[p] == nil {
			parts[p] = &directory.ManifestPart{Part: p, Request: "GET", Read: &taken}
		}
		parts[p].Files = append(parts[p].Files, directory.ManifestFile{Path: name})
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			b.Fatal(err)
		}
		w := bufio.NewWriter(f)
		text(w)
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
	for _, f := range a.Files {
		write(directory.Part(strings.TrimSuffix(f.Name, ".json")), f.Name, func(w *bufio.Writer) { _, _ = w.Write(f.Data) })
	}
	id := func(kind, i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, i) }
	pages := func(p directory.Part, n, each int, open, shut string, one func(w *bufio.Writer, i int)) {
		for from := 0; from < n; from += each {
			write(p, fmt.Sprintf("%s-%05d.json", p, from/each), func(w *bufio.Writer) {
				_, _ = w.WriteString(open)
				for i := from; i < min(n, from+each); i++ {
					if i > from {
						_ = w.WriteByte(',')
					}
					one(w, i)
				}
				_, _ = w.WriteString(shut)
			})
		}
	}
	pages(directory.Users, users, 999, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users","value":[`, `]}`, func(w *bufio.Writer, i int) {
		fmt.Fprintf(w, `{"id":"%s","userPrincipalName":"user%d@contoso.example","displayName":"Given%d Family%d","accountEnabled":true,"userType":"Member","createdDateTime":"2024-05-24T09:27:53Z",`+
			`"onPremisesSyncEnabled":true,"onPremisesImmutableId":"q83vEjRWeJCrze8SNFZ%05d==","passwordPolicies":"DisablePasswordExpiration","lastPasswordChangeDateTime":"2026-01-02T03:04:05Z",`+
			`"assignedLicenses":[{"disabledPlans":["57ff2da0-773e-42df-b2af-ffb7a2317929"],"skuId":"c7df2760-2c81-4ef7-b578-5b5392b571df"},{"disabledPlans":[],"skuId":"06ebc4ee-1bb5-47dd-8120-11324bc54e06"}],`+
			`"mail":"given%d.family%d@contoso.example","otherMails":[],"mobilePhone":"+47 900 %05d","employeeId":"%d","jobTitle":"Clerk","department":"Sales","isManagementRestricted":null,`+
			`"identities":[{"signInType":"userPrincipalName","issuer":"contoso.onmicrosoft.com","issuerAssignedId":"user%d@contoso.example"}],`+
			`"signInActivity":{"lastSignInDateTime":"2026-05-30T08:00:00Z","lastSignInRequestId":"%s","lastNonInteractiveSignInDateTime":"2026-05-31T08:00:00Z","lastNonInteractiveSignInRequestId":"%s","lastSuccessfulSignInDateTime":"2026-05-30T08:00:00Z","lastSuccessfulSignInRequestId":"%s"}}`,
			id(1, i), i, i, i, i, i, i, i, i, i, id(7, i), id(8, i), id(9, i))
	})
	pages(directory.Groups, groups, 999, `{"value":[`, `]}`, func(w *bufio.Writer, i int) {
		fmt.Fprintf(w, `{"id":"%s","displayName":"Group %d","isAssignableToRole":null,"securityEnabled":true,"mailEnabled":false,"groupTypes":[],"membershipRule":null,"onPremisesSyncEnabled":true,"visibility":null,"isManagementRestricted":null}`, id(2, i), i)
	})
	pages(directory.GroupMembers, groups, 20, `{"responses":[`, `]}`, func(w *bufio.Writer, i int) {
		fmt.Fprintf(w, `{"id":"%s","status":200,"headers":{"Content-Type":"application/json"},"body":{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#directoryObjects(id)","value":[`, id(2, i))
		for j := range 20 {
			if j > 0 {
				_ = w.WriteByte(',')
			}
			fmt.Fprintf(w, `{"@odata.type":"#microsoft.graph.user","id":"%s"}`, id(1, (i*7+j*991)%users))
		}
		_, _ = w.WriteString(`]}}`)
	})
	for _, p := range directory.Parts() {
		if parts[p] != nil {
			m.Parts = append(m.Parts, *parts[p])
		}
	}
	if err := directory.Seal(dir, m); err != nil {
		b.Fatal(err)
	}
	return dir
}

// forgetPeak begins to count the memory of the process anew, and peak gives the most that
// it held since, in kilobytes; 0 where the system does not tell (proc(5)).
func forgetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

func peak() int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			return n
		}
	}
	return 0
}
