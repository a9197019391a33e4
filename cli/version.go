package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, and with what it was built",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := map[string]string{"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, m := range info.Deps {
					switch m.Path {
					case "github.com/duckdb/duckdb-go-bindings":
						v["duckdb-go"] = m.Version
					case "modernc.org/sqlite":
						v["sqlite"] = m.Version
					}
				}
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(v)
			}
			_, err := fmt.Fprintf(a.Stdout, "glassward %s\n%s %s\nduckdb-go %s\nsqlite %s\n", v["version"], v["go"], v["platform"], v["duckdb-go"], v["sqlite"])
			return err
		},
	}
	outputFlag(cmd, &format, "table", "json")
	return cmd
}
