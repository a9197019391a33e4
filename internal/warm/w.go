package warm
import (
 _ "github.com/duckdb/duckdb-go/v2"
 _ "modernc.org/sqlite"
 _ "github.com/pressly/goose/v3"
 _ "github.com/spf13/cobra"
 _ "charm.land/lipgloss/v2/table"
 _ "github.com/goccy/go-yaml"
 _ "github.com/goccy/go-json"
 _ "github.com/invopop/jsonschema"
 _ "github.com/wneessen/go-mail"
 _ "github.com/emersion/go-smtp"
 _ "github.com/prometheus/client_golang/prometheus/promhttp"
 _ "github.com/google/uuid"
)
