package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"glassward"
)

// logicAppVendor is the request trigger of a Logic App whose schema is that of
// the common alert. Sources: learn.microsoft.com, "Common alert schema"
// (essentials), "Schema reference guide for trigger and action types" (Request
// trigger: sig, 202, x-ms-client-tracking-id).
var logicAppVendor = vendor{
	name: "logicapp",
	group: func(t testing.TB, base string) ActionGroup {
		return ActionGroup{LogicApp: []LogicAppReceiver{{
			Name: "x", Reach: reach(), UseCommonAlertSchema: true, ResourceID: "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Logic/workflows/w",
			CallbackURL: secret(t, base+"/workflows/0123456789abcdef0123/triggers/manual/paths/invoke?api-version=2016-10-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=hunter2-hunter2"),
		}}}
	},
	check:   checkLogicApp,
	success: func(w http.ResponseWriter, _ []byte) { w.WriteHeader(http.StatusAccepted) },
	refusal: teamsVendor.refusal,
	mutations: []string{
		"header:Content-Type=text/plain", "header:X-Ms-Client-Tracking-Id=", "schemaId", `schemaId="AzureMonitorMetricAlert"`, "data", "data.essentials", "data.essentials.alertId", `data.essentials.severity="High"`,
		"data.essentials.firedDateTime=1", `data.essentials.alertTargetIDs="x"`, `data.alertContext.condition.allOf.0.threshold=0`, `data.alertContext.condition.allOf.0.metricValue="3"`, `data.essentials.title="x"`,
	},
	headers:  []string{"X-Ms-Client-Tracking-Id"},
	optional: commonAlertOptional(),
	free:     []string{"data.alertContext.properties", "data.customProperties"},
	answers: []vendorAnswer{
		{202, "", Accepted},
		{200, "", Accepted},
		{400, `{"error":{"code":"TriggerInputSchemaMismatch","message":"…"}}`, Mend},
		{404, `{"error":{"code":"WorkflowTriggerIsNotEnabled"}}`, Mend},
		{401, `{"error":{"code":"DirectApiAuthorizationRequired"}}`, Mend},
		{429, `{"error":{"code":"WorkflowRunLimitExceeded"}}`, Retry},
		{502, `{"error":{"code":"NoResponse"}}`, Retry},
	},
	secrets: []string{"hunter2", "0123456789abcdef0123"},
}

func checkLogicApp(r *http.Request, body []byte) error {
	q := r.URL.Query()
	switch {
	case r.URL.Path != "/workflows/0123456789abcdef0123/triggers/manual/paths/invoke":
		return errors.New("path")
	case q.Get("sig") != "hunter2-hunter2" || q.Get("api-version") == "" || q.Get("sp") == "" || q.Get("sv") == "":
		return errors.New("signature or version")
	case r.Header.Get("x-ms-client-tracking-id") == "" || r.Header.Get("x-ms-client-tracking-id") == "wrong":
		return errors.New("tracking id")
	}
	return checkCommonAlert(r, body)
}

// webhookVendor is anybody's endpoint that takes the common alert schema, signed as
// Standard Webhooks 1.0 has it (standardwebhooks.com, "Signature scheme": webhook-id,
// webhook-timestamp, webhook-signature, v1 and HMAC-SHA256 over id, time and body;
// the time within five minutes).
var webhookVendor = vendor{
	name: "webhook",
	group: func(t testing.TB, base string) ActionGroup {
		return ActionGroup{Webhook: []WebhookReceiver{{
			Name: "x", ServiceURI: string(secret(t, base+"/hooks/hunter2hunter2")), UseCommonAlertSchema: true, AllowedNetworks: loopback, SigningSecrets: []glassward.Secret{secret(t, whsec)},
		}}}
	},
	check: func(r *http.Request, body []byte) error {
		if r.URL.Path != "/hooks/hunter2hunter2" {
			return errors.New("path")
		}
		stamp := r.Header.Get("webhook-timestamp")
		seconds, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
			return errors.New("webhook-timestamp")
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(whsec, "whsec_"))
		if err != nil {
			return err
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), stamp, body)
		if r.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			return errors.New("webhook-signature")
		}
		return checkCommonAlert(r, body)
	},
	success:   func(w http.ResponseWriter, _ []byte) { w.WriteHeader(http.StatusAccepted) },
	refusal:   func(w http.ResponseWriter, err error) { http.Error(w, err.Error(), http.StatusBadRequest) },
	mutations: []string{"header:Content-Type=text/plain", "schemaId", "data"},
	headers:   []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"},
	answers: []vendorAnswer{
		{202, "", Accepted},
		{200, `{"error":"said by one who takes it nonetheless"}`, Accepted},
		{400, "", Refused},
		{404, "", Mend},
		{413, "", Refused},
		{504, "", Retry},
	},
	secrets: []string{"hunter2", whsec},
}

// TestCommonAlertShape refuses each change of a common alert by itself: a webhook's
// signature would refuse them all.
func TestCommonAlertShape(t *testing.T) {
	body, err := commonAlert(message())
	if err != nil {
		t.Fatal(err)
	}
	v := logicAppVendor
	mutants, spared := v.documents(t, mutant{body: body})
	for _, m := range mutants {
		r := &http.Request{Header: jsonHeader()}
		if checkCommonAlert(r, m.body) == nil {
			t.Errorf("%s: taken", m.what)
		}
	}
	for _, m := range spared {
		if err := checkCommonAlert(&http.Request{Header: jsonHeader()}, m.body); err != nil {
			t.Errorf("%s: %v", m.what, err)
		}
	}
	if len(mutants) < 100 || len(spared) < 4 {
		t.Errorf("%d changes, %d spared", len(mutants), len(spared))
	}
}
