// Package pipe is a network without sockets, for servers and clients that run in
// virtual time (testing/synctest), where a socket would hang.
package pipe

import (
	"context"
	"net"
	"sync"
)

// A Listener accepts one end of a net.Pipe of whoever dials it, who gets the other.
type Listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	at    address
}

// New makes a listener that says it stands at an address.
func New(at string) *Listener {
	return &Listener{at: address(at), conns: make(chan net.Conn), done: make(chan struct{})}
}

// Dial gives a connection to whoever accepts, whatever the address.
func (p *Listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for a dial.
func (p *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, &net.OpError{Op: "accept", Net: "pipe", Err: net.ErrClosed}
	}
}

// Close ends the listener; connections stay.
func (p *Listener) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr gives the address that New was told.
func (p *Listener) Addr() net.Addr { return p.at }

type address string

func (address) Network() string  { return "pipe" }
func (a address) String() string { return string(a) }
