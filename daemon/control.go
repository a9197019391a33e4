package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"glassward/console"
)

// Socket gives the control socket of a data folder: a Unix socket that only the
// folder's owner can open, over which the CLI speaks the same API without a
// token. Socket paths are short by nature (108 bytes), so a deep folder's
// socket lies in the temporary folder under the folder's hash.
func Socket(data string) string {
	abs, err := filepath.Abs(data)
	if err != nil {
		abs = data
	}
	path := filepath.Join(abs, "control.sock")
	if len(path) < 100 {
		return path
	}
	sum := sha256.Sum256([]byte(abs))
	return filepath.Join(os.TempDir(), fmt.Sprintf("glassward-%d-%s", os.Getuid(), hex.EncodeToString(sum[:8])), "control.sock")
}

// listenControl opens the control socket. One that a dead process left behind
// is removed; the stores' own locks keep a second live process out before this.
func listenControl(data string) (net.Listener, error) {
	path := Socket(data)
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be entered by others (mode %04o), so the control socket in it would be theirs: chmod 700 it", dir, info.Mode().Perm())
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// controlServer serves the console to the folder's owner.
func controlServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return console.WithGrant(ctx, console.Local)
		},
	}
}
