package cloud

import (
	"net/http"
	"strconv"
	"time"
)

// metadata serves the tokens of a managed identity, as a virtual machine finds
// them.
func (c *Cloud) metadata() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metadata/identity/oauth2/token" {
			answer(w, http.StatusNotFound, object{"error": "Not found"})
			return
		}
		if r.Method != http.MethodGet {
			answer(w, http.StatusMethodNotAllowed, object{"error": "method_not_allowed", "error_description": "Method not allowed"})
			return
		}
		// The real one reads the value with care for its case.
		if r.Header.Get("Metadata") != "true" {
			answer(w, http.StatusBadRequest, object{"error": "bad_request_102", "error_description": "Required metadata header not specified"})
			return
		}
		if r.Header.Get("X-Forwarded-For") != "" {
			answer(w, http.StatusForbidden, object{"error": "forbidden", "error_description": "The request was forwarded by a proxy"})
			return
		}
		q := r.URL.Query()
		if v := q.Get("api-version"); v < "2018-02-01" {
			answer(w, http.StatusBadRequest, object{"error": "invalid_request", "error_description": "The api-version '" + v + "' is not supported"})
			return
		}
		name := q.Get("resource")
		if name == "" || len(c.order) == 0 {
			answer(w, http.StatusBadRequest, object{"error": "invalid_request", "error_description": "Required query variable 'resource' is missing"})
			return
		}
		t := c.order[0]
		c.live(t)
		sp, ok := t.world.ServicePrincipal(c.o.Identity)
		for _, p := range []string{"client_id", "object_id"} {
			if id := q.Get(p); id != "" && ok && id != sp.AppID && id != sp.ID {
				ok = false
			}
		}
		if !ok || !sp.Enabled || q.Get("msi_res_id") != "" {
			answer(w, http.StatusBadRequest, object{"error": "invalid_request", "error_description": "Identity not found"})
			return
		}
		if _, ok := c.service(t, name); !ok {
			answer(w, http.StatusBadRequest, object{"error": "invalid_resource", "error_description": "AADSTS500011: The resource principal named " + name + " was not found in the tenant named " + t.world.Tenant().Name + "."})
			return
		}
		k := &claims{Audience: name, AppID: sp.AppID, AppIDACR: "2", Object: sp.ID, Subject: sp.ID, Kind: "app", Tenant: t.world.Tenant().ID, Version: "1.0", Issuer: "https://sts.windows.net/" + t.id + "/"}
		c.roles(t, sp, k)
		token, life := c.issue(k)
		answer(w, http.StatusOK, object{
			"access_token": token, "refresh_token": "", "expires_in": strconv.Itoa(int(life/time.Second) - 1),
			"expires_on": strconv.FormatInt(k.Until, 10), "not_before": strconv.FormatInt(k.From, 10),
			"resource": name, "token_type": "Bearer", "client_id": sp.AppID,
		})
	})
}
