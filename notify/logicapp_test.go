package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
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
	if r.URL.Query().Get("sig") != "hunter2-hunter2" || r.Header.Get("x-ms-client-tracking-id") == "" {
		return errors.New("signature or tracking id")
	}
	var e alertEnvelope
	if err := strictJSON(r, body, &e); err != nil {
		return err
	}
	var shape struct {
		Data struct {
			Essentials map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &shape); err != nil {
		return err
	}
	for _, name := range []string{"alertId", "alertRule", "severity", "signalType", "monitorCondition", "monitoringService", "alertTargetIDs", "originAlertId", "firedDateTime", "description", "essentialsVersion", "alertContextVersion"} {
		if _, ok := shape.Data.Essentials[name]; !ok {
			return fmt.Errorf("required property %s", name)
		}
	}
	if e.SchemaID != "azureMonitorCommonAlertSchema" || len(e.Data.Essentials.Severity) != 4 || e.Data.Essentials.Severity[:3] != "Sev" {
		return errors.New("schemaId or severity")
	}
	return nil
}
