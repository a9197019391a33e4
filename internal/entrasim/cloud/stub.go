package cloud

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"

	"glassward/internal/entrasim"
)

type feed struct{}
type hubs struct{}
type rows struct{}

func newFeed(*Cloud, *entrasim.World) *feed              { return &feed{} }
func newRows(*entrasim.World) *rows                      { return &rows{} }
func newHubs(*Cloud, *tenant) *hubs                      { return &hubs{} }
func (*hubs) close()                                     {}
func (*hubs) listen(*tls.Config) (string, error)         { return "", nil }
func (*hubs) open() string                               { return "" }
func (*hubs) namespace() string                          { return "x" }
func (*hubs) named(host string) bool                     { return false }
func (*hubs) dial(ctx context.Context) (net.Conn, error) { return nil, nil }
func (c *Cloud) activity() http.Handler                  { return http.NotFoundHandler() }
func (c *Cloud) resourceManager() http.Handler           { return http.NotFoundHandler() }
func (c *Cloud) logAnalytics() http.Handler              { return http.NotFoundHandler() }
