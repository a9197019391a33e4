package cloud

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// resourceManager serves the Entra diagnostic settings of Azure Resource
// Manager.
func (c *Cloud) resourceManager() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(status int, code, message string) {
			answer(w, status, object{"error": object{"code": code, "message": message}})
		}
		k, err := c.readToken(bearer(r))
		switch {
		case err == errNoToken:
			w.Header().Set("WWW-Authenticate", `Bearer authorization_uri="https://login.windows.net/", error="invalid_token", error_description="The authentication failed because of missing 'Authorization' header."`)
			refuse(http.StatusUnauthorized, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
			return
		case err == errExpiredToken:
			refuse(http.StatusUnauthorized, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time.")
			return
		case err != nil:
			refuse(http.StatusUnauthorized, "InvalidAuthenticationToken", "The access token is invalid.")
			return
		}
		t, ok := c.tenant(k.Tenant)
		if ok {
			s, found := c.service(t, k.Audience)
			ok = found && s == ResourceManager
		}
		if !ok {
			refuse(http.StatusUnauthorized, "InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience or resource '"+k.Audience+"'.")
			return
		}
		if wait, ok := c.pass("arm/"+k.AppID+"/"+t.id, c.o.Limits.ResourceRequests, 10*time.Second); !ok {
			c.faults.retryHeader(w.Header(), wait)
			refuse(http.StatusTooManyRequests, "TooManyRequests", "The request is being throttled.")
			return
		}
		path := strings.ToLower(strings.TrimSuffix(r.URL.Path, "/"))
		if path != "/providers/microsoft.aadiam/diagnosticsettings" {
			refuse(http.StatusNotFound, "InvalidResourceType", "The resource type could not be found.")
			return
		}
		if r.Method != http.MethodGet {
			refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The simulated settings can only be read.")
			return
		}
		versions := []string{"2017-04-01", "2017-04-01-preview"}
		switch v := r.URL.Query().Get("api-version"); {
		case v == "":
			refuse(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
			return
		case !slices.Contains(versions, v):
			refuse(http.StatusBadRequest, "InvalidApiVersionParameter", "The api-version '"+v+"' is invalid. The supported versions are '"+strings.Join(versions, ",")+"'.")
			return
		}
		c.live(t)
		if !c.faults.is(c.faults.settings, t.id) {
			refuse(http.StatusForbidden, "AuthorizationFailed", "The client '"+k.AppID+"' with object id '"+k.Object+"' does not have authorization to perform action 'microsoft.aadiam/diagnosticSettings/read' over scope '/providers/microsoft.aadiam' or the scope is invalid.")
			return
		}
		answer(w, http.StatusOK, object{"value": t.world.DiagnosticSettings()})
	})
}
