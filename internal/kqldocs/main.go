// Command kqldocs prints docs/kql-support.md from the vocabulary of KQL.
package main

import (
	"fmt"
	"os"

	"glassward/kql/builtin"
)

func main() {
	if _, err := fmt.Print(builtin.Support()); err != nil {
		fmt.Fprintln(os.Stderr, "kqldocs:", err)
		os.Exit(1)
	}
}
