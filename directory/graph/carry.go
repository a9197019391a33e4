package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"glassward/directory"
)

// Carry puts into the snapshot in dir what it does not hold whole and the older one in
// old does, with the time at which that was read: whole parts, and of parts that are read
// for each object the answers of those that were refused. So what is compared with the
// next snapshot is the last that was seen of everything, and a part that is refused for a
// week shows what became of it in that week.
func Carry(dir, old string) error {
	m, err := directory.ReadManifest(dir)
	if err != nil {
		return err
	}
	before, err := directory.ReadManifest(old)
	if err != nil {
		return err
	}
	for i, p := range m.Parts {
		j := slices.IndexFunc(before.Parts, func(q directory.ManifestPart) bool { return q.Part == p.Part && q.Object == p.Object })
		if j < 0 || len(before.Parts[j].Files) == 0 || p.Read != nil && !p.Incomplete {
			continue
		}
		q := before.Parts[j]
		switch {
		case p.Read != nil && batched(dir, p) && batched(old, q):
			if err := carryAnswers(dir, p, old, q); err != nil {
				return err
			}
		case Restricted(p) || q.Incomplete && !Restricted(q) && p.Read != nil:
			continue // it is as whole as it can be, or as what was before
		default:
			for _, f := range q.Files {
				text, err := os.ReadFile(filepath.Join(old, filepath.FromSlash(f.Path)))
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(f.Path)), text, 0o600); err != nil {
					return err
				}
			}
			m.Parts[i] = q
		}
	}
	return directory.Seal(dir, *m)
}

// batched says whether a part holds answers to a $batch.
func batched(dir string, p directory.ManifestPart) bool {
	if len(p.Files) == 0 {
		return false
	}
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(p.Files[0].Path)))
	return err == nil && bytes.HasPrefix(bytes.TrimSpace(text), []byte(`{"responses":`))
}

// carryAnswers replaces the answers of objects that could not be read by older ones.
func carryAnswers(dir string, p directory.ManifestPart, old string, q directory.ManifestPart) error {
	fresh, err := answers(dir, p)
	if err != nil {
		return err
	}
	stale, err := answers(old, q)
	if err != nil {
		return err
	}
	good := func(list []response) map[string]bool {
		ids := map[string]bool{}
		for _, x := range list {
			// That an object is gone is an answer, too.
			if x.Status == http.StatusOK || x.Status == http.StatusNotFound {
				ids[strings.ToLower(x.ID)] = true
			}
		}
		return ids
	}
	have, had := good(fresh), good(stale)
	keep := slices.DeleteFunc(fresh, func(x response) bool { id := strings.ToLower(x.ID); return !have[id] && had[id] })
	for _, x := range stale {
		if id := strings.ToLower(x.ID); had[id] && !have[id] {
			keep = append(keep, x)
		}
	}
	text, err := json.Marshal(map[string]any{"responses": keep})
	if err != nil {
		return err
	}
	for i, f := range p.Files {
		if i > 0 {
			text = []byte(`{"responses":[]}`)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(f.Path)), append(text, '\n'), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// answers gives all answers of a part.
func answers(dir string, p directory.ManifestPart) ([]response, error) {
	list := []response{}
	for _, f := range p.Files {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if err != nil {
			return nil, err
		}
		d := json.NewDecoder(bytes.NewReader(text))
		for {
			var batch struct{ Responses []response }
			err := d.Decode(&batch)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			list = append(list, batch.Responses...)
		}
	}
	return list, nil
}
