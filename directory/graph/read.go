package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"glassward/directory"
	"glassward/directory/part"
	"glassward/entra"
)

// Options say what is read, and where it goes.
type Options struct {
	// Graph asks Microsoft Graph for the tenant.
	Graph *entra.Client
	// Tenant is the tenant's id, as configured.
	Tenant string
	// Dir is the folder of the snapshot; it is made if it is not there.
	Dir string
	// Resume keeps the parts that the folder holds whole. Without it they are read
	// anew.
	Resume bool
	// Accounts are object ids or user principal names of accounts whose methods are
	// read, beside those of everybody who holds a role or may activate one.
	Accounts []string
	// Principals are object ids of service principals that are kept for emergencies: their
	// owners and those of their applications, and whose tokens these take, are read.
	Principals []string
	// Only restricts the snapshot to what protects the accounts, by what stands here
	// beside them: what a tenant of any size answers within a minute. Accounts must be
	// object ids then. Parts that hold more than was asked for are marked (Restricted).
	Only *Protection
	// Questions are what Graph's own evaluation of Conditional Access is asked. They are
	// asked anew each time, after all else, for they are about the policies as they are.
	Questions []Question
	// Progress is told how far a part has come: objects so far, of how many, 0 if that
	// is not known. It is called by one goroutine at a time and may be nil.
	Progress func(part directory.Part, objects, of int)
	Now      func() time.Time // nil: time.Now
}

// A Protection names, by object id, the groups and administrative units that protect
// the accounts. Groups that a policy excludes and units that are restricted belong to it
// unnamed.
type Protection struct{ Groups, Units []string }

// Read reads a snapshot into a folder and gives its manifest, which stands there too.
//
// An error says that it was ended: the context ended, the disk refuses, no token is
// to be had, nobody answers. What is whole by then stays for Resume. Anything less
// concerns its part, whose entry says why it is not whole and which permission would
// have given it.
func Read(ctx context.Context, o Options) (*directory.Manifest, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(directory.Part, int, int) {}
	}
	r := &reader{o: o, whole: map[directory.Part]directory.ManifestPart{}, m: directory.Manifest{Tenant: strings.ToLower(o.Tenant)}}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	if o.Resume {
		if err := r.resume(); err != nil {
			return nil, err
		}
	}
	list := requests()
	if o.Only != nil {
		list = protecting()
	}
	for _, q := range list {
		entry, kept := r.whole[q.part]
		if !kept {
			var err error
			if entry, err = r.part(ctx, q); err != nil {
				return nil, fmt.Errorf("read %s: %w", q.part, err)
			}
		}
		r.m.Parts = append(r.m.Parts, entry)
		if err := r.learn(q, entry); err != nil {
			return nil, fmt.Errorf("%s: %w", q.part, err)
		}
		if err := r.write(r.others); err != nil {
			return nil, err
		}
	}
	if o.Only == nil {
		entry, err := r.evaluations(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask %s: %w", directory.Evaluations, err)
		}
		r.m.Parts = append(r.m.Parts, entry)
		if err := r.write(r.others); err != nil {
			return nil, err
		}
	}
	for _, p := range directory.Parts() {
		if o.Only != nil && !slices.Contains(azure(), p) && !slices.ContainsFunc(list, func(q request) bool { return q.part == p }) {
			r.m.Parts = append(r.m.Parts, directory.ManifestPart{Part: p, Reason: only})
		}
	}
	for _, p := range azure() {
		if !slices.ContainsFunc(r.others, func(x directory.ManifestPart) bool { return x.Part == p }) {
			r.others = append(r.others, directory.ManifestPart{Part: p, Reason: "it stands in Azure Resource Manager, and this snapshot was taken from Microsoft Graph alone"})
		}
	}
	r.m.Parts = append(r.m.Parts, r.others...)
	return &r.m, r.write(nil)
}

// write writes the manifest, with entries of parts that others read.
func (r *reader) write(others []directory.ManifestPart) error {
	r.m.Taken = r.o.Now().UTC()
	m := r.m
	m.Parts = slices.Concat(r.m.Parts, others)
	return directory.WriteManifest(r.o.Dir, m)
}

// A reader reads one snapshot.
type reader struct {
	o      Options
	m      directory.Manifest
	whole  map[directory.Part]directory.ManifestPart // what resume found
	others []directory.ManifestPart                  // what resume found of parts that are not Graph's
	silent int                                       // parts in a row for which nobody answered
	known  known
}

// resume finds what the folder holds whole.
func (r *reader) resume() error {
	m, err := directory.ReadManifest(r.o.Dir)
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, os.ErrNotExist), errors.As(err, &syntax):
		return nil // nothing is there, or it died while it wrote: all is read anew
	case err != nil:
		return err
	case m.Tenant != "" && r.m.Tenant != "" && m.Tenant != r.m.Tenant:
		return fmt.Errorf("%s holds a snapshot of tenant %s, not of %s: name another place", r.o.Dir, m.Tenant, r.m.Tenant)
	}
	for _, p := range m.Parts {
		if slices.Contains(azure(), p.Part) && p.Request != "" {
			r.others = append(r.others, p)
		}
	}
	for _, q := range requests() {
		i := slices.IndexFunc(m.Parts, func(p directory.ManifestPart) bool { return p.Part == q.part })
		if i < 0 {
			continue
		}
		p := m.Parts[i]
		// Whose methods are read may have changed, and which service principals are named.
		if q.each != ofPeople && q.each != ofDeclared && q.each != ofRegistrations && p.Request == q.said() && part.Whole(r.o.Dir, p) {
			r.whole[q.part] = p
		}
	}
	return nil
}

// part reads one part. Its error ends the whole snapshot.
func (r *reader) part(ctx context.Context, q request) (directory.ManifestPart, error) {
	f, err := part.Create(r.o.Dir, q.part, q.said())
	if err != nil {
		return directory.ManifestPart{}, err
	}
	defer f.Close()
	var trouble *part.Trouble
	if q.each != once {
		trouble, err = r.objects(ctx, q, f)
	} else {
		trouble, err = r.list(ctx, q, f)
	}
	if err != nil {
		return directory.ManifestPart{}, err
	}
	entry, err := f.Entry(r.o.Now(), trouble)
	if (trouble == nil || trouble.Unasked) && entry.Read != nil && r.o.Only != nil && slices.Contains(few, q.part) {
		entry.Incomplete = true
		if trouble == nil {
			entry.Reason = only
		}
	}
	return entry, err
}

// few are the parts of which Options.Only asks for some objects of all.
var few = []directory.Part{directory.Users, directory.Groups, directory.ServicePrincipals, directory.Applications, directory.AppRoleAssignments}

// troubleOf puts a failed request in words; the error ends the snapshot.
func (r *reader) troubleOf(ctx context.Context, q request, err error) (*part.Trouble, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var f *entra.Fault
	if !errors.As(err, &f) {
		return nil, err
	}
	if f.Kind == entra.FaultToken || f.Kind == entra.FaultClock {
		return nil, err // as whom we ask is the matter: no part will fare better
	}
	if f.Kind == entra.FaultOutage && f.Status == 0 {
		if r.silent++; r.silent == silence {
			return nil, err
		}
	} else {
		r.silent = 0
	}
	t := &part.Trouble{Reason: f.Error()}
	if f.Status != 0 {
		t.Reason = strings.TrimRight(fmt.Sprintf("Graph answered %d %s: %s", f.Status, f.Code, f.Message), ": ")
	}
	if f.Kind == entra.FaultConsent {
		t.Permission = q.permission
	}
	return t, nil
}

// silence is for how many parts in a row nobody may answer before there is nobody.
const silence = 3

// list reads a list to its end, or one object.
func (r *reader) list(ctx context.Context, q request, f *part.File) (*part.Trouble, error) {
	if q.single {
		for b := part.Backoff(); ; {
			answer, err := r.o.Graph.Get(ctx, q.path, nil)
			if err == nil {
				r.silent = 0
				return nil, f.Write(answer.Body)
			}
			if !part.Again(ctx, err, b) {
				return r.troubleOf(ctx, q, err)
			}
		}
	}
	var lesser *part.Trouble
	path, restarted := q.path, false
	seen := map[string]bool{}
	n := 0
	for next, b := path, part.Backoff(); ; {
		err := error(nil)
		for page, fault := range r.o.Graph.Pages(ctx, next, nil) {
			if fault != nil {
				err = fault
				break
			}
			if err := f.Write(page.Body); err != nil {
				return nil, err
			}
			n += len(page.Value)
			r.o.Progress(q.part, n, 0)
			b.Reset()
			r.silent = 0
			if page.Last {
				return lesser, nil
			}
			next = page.Next
			if seen[next] {
				return &part.Trouble{Reason: fmt.Sprintf("a page points to one that was read already, after %d objects", n)}, nil
			}
			seen[next] = true
		}
		var known *entra.Fault
		errors.As(err, &known)
		switch {
		case known == nil:
			return r.troubleOf(ctx, q, err)
		case known.Code == "TooManyPages":
			continue // a new chain goes on at the page where this one ended
		case known.Kind == entra.FaultPosition && !restarted:
			// The place is lost: from the beginning, once.
			restarted, next, n = true, path, 0
			clear(seen)
			if err := f.Restart(); err != nil {
				return nil, err
			}
			continue
		case strings.Contains(path, activityField) && f.Documents == 0 && (known.Kind == entra.FaultConsent || known.Kind == entra.FaultLicence):
			// When people last signed in is not told us; who they are may be.
			why, err := r.troubleOf(ctx, request{permission: activityPermission}, known)
			if err != nil {
				return nil, err
			}
			lesser = &part.Trouble{Reason: "signInActivity was not read: " + why.Reason, Permission: why.Permission, Unasked: true}
			path = strings.Replace(path, activityField, "", 1)
			next, f.Request = path, "GET "+path
			continue
		}
		if !part.Again(ctx, err, b) {
			return r.troubleOf(ctx, q, err)
		}
	}
}
