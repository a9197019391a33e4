package console

import (
	"context"
	"errors"
	"io"
	"net/http"

	"glassward/notify"
)

// Callbacks is where the providers of receivers call. Who calls is told by the
// signature alone: a callback that has none of ours gets notify.ErrCallback.
type Callbacks interface {
	Callback(ctx context.Context, c notify.Callback) (mediaType string, body []byte, err error)
}

// maxCallback bounds the body of a callback, in bytes.
const maxCallback = 64 << 10

// callback answers POST /callbacks/{provider}/{what...}. Nobody but a provider
// learns what is configured here.
func (s *Server) callback(w http.ResponseWriter, r *http.Request, _ call) *apiError {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallback))
	if err != nil {
		return badRequest("the body cannot be read, or has more than %d KB", maxCallback>>10)
	}
	kind, text, err := s.o.Callbacks.Callback(r.Context(), notify.Callback{
		Provider: r.PathValue("provider"), What: r.PathValue("what"), Query: r.URL.RawQuery, Header: r.Header, Body: body,
	})
	switch {
	case errors.Is(err, notify.ErrCallback):
		return &apiError{status: http.StatusForbidden, code: "InvalidSignature", message: notify.ErrCallback.Error()}
	case err != nil:
		s.o.Log.Error("a callback could not be taken", "provider", r.PathValue("provider"), "error", err)
		return &apiError{status: http.StatusServiceUnavailable, code: "TryAgain", message: "this could not be taken now"}
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(text) // who called may have gone
	return nil
}
