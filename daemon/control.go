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
	"glassward/internal/private"
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
	return filepath.Join(os.TempDir(), fmt.Sprintf("glassward-%d-%s", os.Geteuid(), hex.EncodeToString(sum[:8])), "control.sock")
}

// ownSocketFolder gives an error if a control socket's folder may be somebody
// else's. In the temporary folder everybody may make one of that name first, and
// would then be asked in the daemon's place.
func ownSocketFolder(data, path string) error {
	check := private.CheckOwned
	if abs, err := filepath.Abs(data); err == nil && abs == filepath.Dir(path) {
		check = private.Check // whoever runs the daemon chose the folder
	}
	if err := check(filepath.Dir(path)); err != nil {
		return fmt.Errorf("the folder of the control socket %s: %w", path, err)
	}
	return nil
}

// DialControl connects to the control socket of a data folder. The error is the
// operating system's if nobody listens there.
func DialControl(ctx context.Context, data string) (net.Conn, error) {
	path := Socket(data)
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := ownSocketFolder(data, path); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// listenControl opens the control socket. One that a dead process left behind
// is removed; the stores' own locks keep a second live process out before this.
func (n Network) listenControl(data string) (net.Listener, error) {
	path := Socket(data)
	dir := filepath.Dir(path)
	if err := private.MkdirAll(dir); err != nil {
		return nil, err
	}
	if err := ownSocketFolder(data, path); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := n.listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	return l, nil
}

// controlServer serves the console to the folder's owner.
func controlServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return console.WithGrant(ctx, console.Local)
		},
	}
}
