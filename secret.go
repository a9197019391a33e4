package glassward

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"glassward/internal/private"
)

// A Secret is a reference to a secret, never the secret: "env:NAME" or
// "file:/path". It prints as the reference, so that it can stand in
// configuration, logs and errors.
type Secret string

// ErrSecretExposed is wrapped by Reveal's error when a secret's file can be
// read by others than its owner.
var ErrSecretExposed = private.ErrExposed

// Reveal reads the secret. A file must be for nobody else's eyes: on Unix the
// mode bits for group and others have to be off, on Windows the access list
// names nobody but its owner, the system and the administrators. One trailing
// newline is removed. The error names the reference and the cure and never the
// value.
func (s Secret) Reveal() (string, error) {
	scheme, rest, ok := strings.Cut(string(s), ":")
	switch {
	case !ok || rest == "":
		return "", errors.New("a secret must be a reference, env:NAME or file:PATH; values do not belong in configuration")
	case scheme == "env":
		v, set := os.LookupEnv(rest)
		if !set || v == "" {
			return "", fmt.Errorf("secret env:%s: the environment variable is not set", rest)
		}
		return v, nil
	case scheme == "file":
		if err := private.Check(rest); err != nil {
			return "", fmt.Errorf("secret file:%s: %w", rest, err)
		}
		b, err := os.ReadFile(rest)
		if err != nil {
			return "", fmt.Errorf("secret file:%s: %w", rest, err)
		}
		v := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
		if v == "" {
			return "", fmt.Errorf("secret file:%s: the file is empty", rest)
		}
		return v, nil
	}
	return "", errors.New("a secret must be a reference, env:NAME or file:PATH; values do not belong in configuration")
}
