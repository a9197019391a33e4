package acceptance_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"glassward/config"
	"glassward/internal/entrasim"
)

// TestKilledUpload kills the process while clients push, at every failpoint of a
// commit, and says that nothing for which a client heard 204 is lost, and that what it
// sends again under the same id stands once.
func TestKilledUpload(t *testing.T) {
	t.Parallel()
	var specs []string
	for _, point := range []string{"logstore.append.before", "logstore.commit.before", "logstore.commit.after"} {
		for _, nth := range []int{1, 4, 7, 12} {
			specs = append(specs, fmt.Sprintf("%s:%d=kill", point, nth))
		}
	}
	for _, spec := range part(specs, 4) {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			killedUpload(t, spec)
		})
	}
}

func killedUpload(t *testing.T, spec string) {
	h := newHouse(t, map[string]string{
		"glassward.yaml":        mainFile(25, "oncall@example.org"),
		tenantPath:              tenantFile(entrasim.EA01) + collection,
		"tables/doors.json":     doorsTable,
		"collection/doors.json": doorsRule,
	})
	c, _ := config.Load(h.file("glassward.yaml"))
	tenant, _ := c.Tenant(entrasim.TenantName)
	builtIn := tenant.Collection()[0].ImmutableID
	const uploads, lines = 16, 3
	// Every other upload goes through a transform.
	upload := func(i int) error {
		path, element := "/dataCollectionRules/"+builtIn+"/streams/Custom-Doors_CL", fmt.Sprintf(`{"Who":"u%d"}`, i)
		if i%2 == 0 {
			path, element = "/dataCollectionRules/"+doorsID+"/streams/Custom-Doors", fmt.Sprintf(`{"Line":"u%d opens"}`, i)
		}
		body := "[" + strings.Repeat(element+",", lines-1) + element + "]"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://glassward"+path+"?api-version=2023-01-01", strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("x-ms-client-request-id", fmt.Sprint("upload ", i))
		res, err := h.http.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusNoContent {
			return fmt.Errorf("%s: %s", res.Status, text)
		}
		return nil
	}
	stored := func(i int) int {
		return h.counted(entrasim.TenantName, fmt.Sprintf("Doors_CL | where Who == 'u%d' | count", i))
	}
	p := start(t, h, spec)
	heard := 0
	for heard < uploads && !p.gone() {
		if err := upload(heard); err != nil {
			break
		}
		heard++
	}
	if !p.gone() && heard == uploads {
		t.Fatalf("it was not killed at %s", spec)
	}
	if err := p.wait(t); signalOf(err) != syscall.SIGKILL {
		t.Fatalf("it was not killed at %s: %v\n%s", spec, err, p.said())
	}
	if p = start(t, h, ""); p.gone() {
		t.Fatalf("it does not start again: %v\n%s", p.wait(t), p.said())
	}
	for i := range heard {
		if n := stored(i); n != lines {
			t.Errorf("upload %d was answered 204, and %d of its %d records are there", i, n, lines)
		}
	}
	// The client sends again what it heard nothing of, and whatever it likes.
	for i := max(0, heard-2); i < uploads; i++ {
		if err := upload(i); err != nil {
			t.Fatalf("%v\n%s", err, p.said())
		}
	}
	for i := range uploads {
		if n := stored(i); n != lines {
			t.Errorf("%d records of upload %d, want %d", n, i, lines)
		}
	}
}
