// Command healthdocs prints docs/health.md from the declared conditions.
package main

import (
	"fmt"

	"glassward/incident"
)

func main() { fmt.Print(incident.ConditionPage()) }
