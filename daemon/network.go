package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"

	"glassward/certificate"
	"glassward/config"
	"glassward/notify"
)

// A Network is how a daemon reaches others and is reached. The zero value is the
// network of the host.
type Network struct {
	// Listen opens what the API is served on ("tcp", address) and the control
	// socket ("unix", path).
	Listen func(network, address string) (net.Listener, error)
	// Services answers what a tenant's services are asked by HTTPS.
	Services http.RoundTripper
	// Dial connects to mail servers, webhooks and Event Hubs, Resolve gives the
	// addresses of the first two.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Resolve func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// receivers is the part of the network that receivers are reached by.
func (n Network) receivers() notify.Network { return notify.Network{Dial: n.Dial, Resolve: n.Resolve} }

// listen opens a listener. A socket in the file system is its owner's alone; on
// Windows it has no mode, and the folder that it lies in decides.
func (n Network) listen(network, address string) (net.Listener, error) {
	if n.Listen != nil {
		return n.Listen(network, address)
	}
	l, err := net.Listen(network, address)
	if err != nil || network != "unix" || runtime.GOOS == "windows" {
		return l, err
	}
	if err := os.Chmod(address, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// listenAPI opens what the API is served on, with TLS where that is configured.
func (n Network) listenAPI(c *config.Config, k *certificate.Keeper) (net.Listener, error) {
	l, err := n.listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	if k == nil {
		return l, nil
	}
	return tlsListener(l, k.TLS()), nil
}
