package glassward

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// A Secret is a reference to a secret, never the secret: "env:NAME" or
// "file:/path". It prints as the reference, so that it can stand in
// configuration, logs and errors.
type Secret string

// ErrSecretExposed is wrapped by Reveal's error when a secret's file can be
// read by others than its owner.
var ErrSecretExposed = errors.New("secret file can be read by others")

// Reveal reads the secret. A file must belong to nobody else's eyes: mode bits
// for group and others have to be off. One trailing newline is removed. The
// error names the reference and the cure and never the value.
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
		info, err := os.Stat(rest)
		if err != nil {
			return "", fmt.Errorf("secret file:%s: %w", rest, err)
		}
		if info.Mode().Perm()&fs.FileMode(0o077) != 0 {
			return "", fmt.Errorf("secret file:%s: %w (mode %04o): chmod 600 it", rest, ErrSecretExposed, info.Mode().Perm())
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
