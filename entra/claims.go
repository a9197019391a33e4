package entra

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Claims are what a token says of our application. The vendor holds tokens to be
// opaque, so they serve for warnings and words; the service's own answer is the
// verdict.
type Claims struct {
	Audience  string
	Tenant    string    // tid
	AppID     string    // appid, or azp in newer tokens
	ObjectID  string    // oid, of the service principal
	Roles     []string  // granted application permissions, sorted
	Wids      []string  // template ids of directory roles
	Auth      string    // appidacr or azpacr: "1" a secret, "2" a certificate
	Issued    time.Time // iat
	Expires   time.Time // exp
	AppOnly   bool      // idtyp is "app"
	LongLived bool      // xms_cc names cp1: continuous access evaluation
}

// ParseClaims reads the claims of a token, without looking at its signature:
// best effort. It reports false for a token that it cannot read, which is
// allowed to happen.
func ParseClaims(token string) (Claims, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Claims{}, false
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return Claims{}, false
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil {
		return Claims{}, false
	}
	text := func(names ...string) string {
		for _, name := range names {
			var s string
			if json.Unmarshal(m[name], &s) == nil && s != "" {
				return s
			}
		}
		return ""
	}
	list := func(name string) []string {
		var s []string
		if json.Unmarshal(m[name], &s) != nil {
			if one := text(name); one != "" {
				s = []string{one}
			}
		}
		slices.Sort(s)
		return s
	}
	instant := func(name string) time.Time {
		var n float64
		if json.Unmarshal(m[name], &n) != nil || n <= 0 || n > 253402300799 {
			return time.Time{}
		}
		return time.Unix(int64(n), 0).UTC()
	}
	return Claims{
		Audience: text("aud"), Tenant: text("tid"), AppID: text("appid", "azp"), ObjectID: text("oid"),
		Roles: list("roles"), Wids: list("wids"), Auth: text("appidacr", "azpacr"),
		Issued: instant("iat"), Expires: instant("exp"),
		AppOnly: text("idtyp") == "app", LongLived: slices.ContainsFunc(list("xms_cc"), func(s string) bool { return strings.EqualFold(s, "cp1") }),
	}, true
}
