package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"glassward/console/loganalytics"
	"glassward/daemon"
	"glassward/internal/private"
	"glassward/kql"
)

// A client speaks to the running daemon through the control socket in its data
// folder. Whoever may open the socket owns the folder, so no token is needed.
type client struct {
	http *http.Client
	// wait is how long an answer may take by our own wish; 0 is the daemon's limit.
	wait time.Duration
}

// errNoDaemon says that no daemon runs over a data folder.
var errNoDaemon = errors.New("no daemon is running")

// dial finds the daemon of a data folder, or gives errNoDaemon.
func dial(data string) (*client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := daemon.DialControl(ctx, data)
	if err != nil {
		if errors.Is(err, private.ErrExposed) {
			return nil, err
		}
		if errors.Is(err, os.ErrPermission) {
			return nil, hint(fmt.Errorf("the daemon's control socket %s is not yours", daemon.Socket(data)), "run this as the user that glassward serve runs as")
		}
		return nil, errNoDaemon
	}
	conn.Close()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return daemon.DialControl(ctx, data)
	}}
	return &client{http: &http.Client{Transport: transport}}, nil
}

// need is dial where nothing can be done without a daemon.
func need(data string) (*client, error) {
	c, err := dial(data)
	if errors.Is(err, errNoDaemon) {
		return nil, hint(fmt.Errorf("no daemon is running over %s", filepath.Clean(data)), "start it with glassward serve, or name its data folder with --data")
	}
	return c, err
}

// call sends body as JSON and decodes the answer into out, where out is given.
func (c *client) call(ctx context.Context, method, path string, body, out any) error {
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(text)
	}
	return c.send(ctx, method, path, r, out)
}

// send is call with a body as it is.
func (c *client) send(ctx context.Context, method, path string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://glassward"+path, body)
	if err != nil {
		return err
	}
	if c.wait > 0 {
		req.Header.Set("Prefer", "wait="+strconv.FormatFloat(c.wait.Seconds(), 'f', -1, 64))
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the daemon: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return refusal(res)
	}
	if out == nil {
		return nil
	}
	if raw, ok := out.(io.Writer); ok {
		_, err = io.Copy(raw, res.Body)
		return err
	}
	return json.NewDecoder(res.Body).Decode(out)
}

// query asks a workspace.
func (c *client) query(ctx context.Context, tenant, text string) (*kql.Result, error) {
	var body bytes.Buffer
	if err := c.call(ctx, "POST", place{tenant: tenant}.path("/query"), map[string]string{"query": text}, &body); err != nil {
		return nil, err
	}
	return loganalytics.ReadAnswer(&body)
}

// refusal reads the daemon's error.
func refusal(res *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	var body struct {
		Error struct {
			Code, Message string
			Innererror    *struct{ Code, Message string }
		}
	}
	if json.Unmarshal(text, &body) != nil || body.Error.Message == "" {
		return fmt.Errorf("the daemon answered %s", res.Status)
	}
	if in := body.Error.Innererror; in != nil && in.Message != "" {
		return errors.New(strings.TrimSpace(in.Message))
	}
	return errors.New(body.Error.Message)
}

// seg escapes one segment of a path.
func seg(s string) string { return url.PathEscape(s) }
