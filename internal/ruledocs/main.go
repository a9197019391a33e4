// Command ruledocs prints docs/detections.md from the shipped rules.
package main

import (
	"fmt"
	"os"

	"glassward/rule"
	"glassward/schema"
)

func main() {
	rules, err := rule.Defaults()
	if err == nil {
		_, err = fmt.Print(rule.Catalogue(rules, rule.Environment{Catalog: schema.Default().Catalog()}))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ruledocs:", err)
		os.Exit(1)
	}
}
