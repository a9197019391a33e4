package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"glassward/directory"
	"glassward/directory/part"
	"glassward/entra"
)

// A Question is a sign-in about which Graph's own evaluation of Conditional Access is
// asked: a name of its own, as "OBJECT-ID/NAME", and the body of the request.
type Question struct {
	ID   string
	Body json.RawMessage
}

// evaluatePath is where What If is asked. It is v1.0: beta answers the same and may change.
const evaluatePath = "/v1.0/identity/conditionalAccess/evaluate"

// Evaluate asks Graph's What If evaluation about one sign-in and gives its answer as it
// came (conditionalAccessRoot: evaluate). What passes is waited for and asked again; what
// is refused is an *entra.Fault. It needs Policy.Read.ConditionalAccess or Policy.Read.All.
func Evaluate(ctx context.Context, c *entra.Client, body []byte) ([]byte, error) {
	for b := part.Backoff(); ; {
		answer, err := c.Do(ctx, http.MethodPost, evaluatePath, nil, body)
		if err == nil {
			return answer.Body, nil
		}
		if !part.Again(ctx, err, b) {
			return nil, err
		}
	}
}

// evaluations asks the questions and writes each with its answer. One that is refused
// costs itself, and for want of the permission all.
func (r *reader) evaluations(ctx context.Context) (directory.ManifestPart, error) {
	const unasked = "nobody asked: glassward snapshot --whatif asks about sign-ins of the emergency accounts"
	if len(r.o.Questions) == 0 {
		return directory.ManifestPart{Part: directory.Evaluations, Reason: unasked}, nil
	}
	f, err := part.Create(r.o.Dir, directory.Evaluations, "POST "+evaluatePath)
	if err != nil {
		return directory.ManifestPart{}, err
	}
	defer f.Close()
	q := request{part: directory.Evaluations, permission: "Policy.Read.All"}
	var trouble *part.Trouble
	for i, x := range r.o.Questions {
		answer, err := Evaluate(ctx, r.o.Graph, x.Body)
		if err != nil {
			t, end := r.troubleOf(ctx, q, err)
			if end != nil {
				return directory.ManifestPart{}, end
			}
			if trouble == nil {
				trouble = &part.Trouble{Reason: fmt.Sprintf("of %s: %s", x.ID, t.Reason), Permission: t.Permission}
			}
			if t.Permission != "" {
				break
			}
			continue
		}
		r.silent = 0
		if !json.Valid(answer) {
			if trouble == nil {
				trouble = &part.Trouble{Reason: fmt.Sprintf("of %s: an answer that is no JSON", x.ID)}
			}
			continue
		}
		id, err := json.Marshal(x.ID)
		if err != nil {
			return directory.ManifestPart{}, err
		}
		// The answer stands as it came; only what surrounds it is ours.
		text := slices.Concat([]byte(`{"id":`), id, []byte(`,"request":`), x.Body, []byte(`,"answer":`), bytes.TrimSpace(answer), []byte("}"))
		if err := f.Write(text); err != nil {
			return directory.ManifestPart{}, err
		}
		r.o.Progress(directory.Evaluations, i+1, len(r.o.Questions))
	}
	return f.Entry(r.o.Now(), trouble)
}
