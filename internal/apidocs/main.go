// Command apidocs writes the OpenAPI 3.1 description of our HTTP API: the routes and
// scopes are the console's own, the schemas come of the Go types that are encoded, with
// their doc sentences. It runs in the root of the repository.
package main

import (
	"fmt"
	"os"
)

// file is where the description stands, from where the console serves it.
const file = "console/openapi.json"

func main() {
	text, err := describe(".")
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "apidocs:", err)
		os.Exit(1)
	}
}
