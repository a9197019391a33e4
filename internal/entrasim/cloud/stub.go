package cloud

import (
	"net/http"

	"glassward/internal/entrasim"
)

type rows struct{}

func newRows(*entrasim.World) *rows            { return &rows{} }
func (c *Cloud) resourceManager() http.Handler { return http.NotFoundHandler() }
func (c *Cloud) logAnalytics() http.Handler    { return http.NotFoundHandler() }
