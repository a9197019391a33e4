package daemon_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"glassward"
)

// alerts counts the alerts of all incidents by the API.
func alerts(t *testing.T, address string) int {
	t.Helper()
	n := 0
	for _, workspace := range []string{"default", "glassward"} {
		res, err := http.Get("http://" + address + "/v1/workspaces/" + workspace + "/incidents")
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Value []glassward.Incident }
		err = json.NewDecoder(res.Body).Decode(&answer)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range answer.Value {
			n += len(i.Alerts)
		}
	}
	return n
}
