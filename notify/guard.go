package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// A guard dials webhooks. It looks at the addresses that a name has resolved
// to, and not at the name, so that whoever controls the name cannot send us into
// our own network: only addresses of the public internet are dialed, and those
// of the networks that the configuration allows (OWASP: server-side request
// forgery).
type guard struct {
	allowed []netip.Prefix
	resolve ResolveFunc
	dial    DialFunc
}

// A ResolveFunc gives a name's addresses, as net.Resolver.LookupNetIP does.
type ResolveFunc func(ctx context.Context, network, host string) ([]netip.Addr, error)

// errForbidden is wrapped when a name leads to an address that may not be
// called.
var errForbidden = errors.New("address is not public and no allowedNetworks names it")

// reserved are the special-purpose networks (IANA) that netip.Addr's own
// predicates leave out.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by carriers; cloud metadata at some
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, broadcast
	netip.MustParsePrefix("64:ff9b::/96"),    // IPv4 behind NAT64
	netip.MustParsePrefix("64:ff9b:1::/48"),  // local NAT64
	netip.MustParsePrefix("100::/64"),        // discard
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4 carries an IPv4 address
	netip.MustParsePrefix("5f00::/16"),       // segment routing
}

func (g guard) permits(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	if slices.ContainsFunc(g.allowed, in) {
		return true
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(reserved, in)
}

// DialContext resolves, checks every address and dials those that are
// permitted, one after the other. One forbidden address among others is skipped;
// if none is left, the error wraps errForbidden.
func (g guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{a}
	} else if addrs, err = g.resolve(ctx, "ip", host); err != nil {
		return nil, err
	}
	var forbidden netip.Addr
	addrs = slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool {
		if g.permits(a) {
			return false
		}
		forbidden = a
		return true
	})
	if len(addrs) == 0 {
		return nil, fmt.Errorf("%s: %w", forbidden, errForbidden)
	}
	var errs []error
	for i, a := range addrs {
		c, err := g.dialOne(ctx, network, net.JoinHostPort(a.Unmap().String(), port), len(addrs)-i)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// dialOne gives an address its share of the time that is left, so that a dead
// one does not use up that of the next.
func (g guard) dialOne(ctx context.Context, network, address string, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	return g.dial(ctx, network, address)
}
