package acceptance_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-kusto-go/azkustodata"
	"github.com/Azure/azure-kusto-go/azkustodata/kql"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/ingestion/azlogs"
	query "github.com/Azure/azure-sdk-for-go/sdk/monitor/query/azlogs"

	"glassward/ingest/dcr"
	"glassward/internal/entrasim"
)

// TestSignIn lets Microsoft's libraries for signing in, unmodified, sign in at the server: by its address, the
// tenant "adfs" and a token for the secret, which is what a client has fields for that takes no token.
func TestSignIn(t *testing.T) {
	t.Parallel()
	o := openTLS(t)
	h, endpoint, authority, transport, secret := o.house, o.endpoint, o.authority, o.transport, o.token
	program := func(secret string) *azidentity.ClientSecretCredential {
		t.Helper()
		options := azcore.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: endpoint}, Transport: transport, Retry: policy.RetryOptions{MaxRetries: -1}}
		c, err := azidentity.NewClientSecretCredential("adfs", "glassward", secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: options})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}

	logs := logsClientAs(t, endpoint, program(secret), transport)
	count := asked(t, logs, "union SigninLogs, AuditLogs | count", "", nil).Tables[0].Rows[0][0].(float64)
	if count == 0 {
		t.Error("no records are counted")
	}
	kusto, err := azkustodata.New(azkustodata.NewConnectionStringBuilder(endpoint).WithTokenCredential(program(secret)), azkustodata.WithHttpClient(transport))
	if err != nil {
		t.Fatal(err)
	}
	defer kusto.Close()
	if _, err := kusto.Query(t.Context(), entrasim.TenantName, kql.New("SigninLogs | count")); err != nil {
		t.Error(err)
	}
	pusher, err := azlogs.NewClient(endpoint, program(h.token("agent", "--tenant", entrasim.TenantName, "--scope", "ingest")), &azlogs.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pusher.Upload(t.Context(), dcr.BuiltInID(entrasim.TenantID), "Microsoft-SigninLogs", []byte(`[{"Id":"88888888-2222-4333-8444-555555555555","TimeGenerated":"`+time.Now().UTC().Format(time.RFC3339)+`","UserId":"pushed"}]`), nil); err != nil {
		t.Error(err)
	}
	a := node(t, authority, []map[string]any{{
		"client": "logs", "endpoint": endpoint, "authority": endpoint, "token": secret, "workspace": entrasim.TenantName,
		"query": "SigninLogs | where UserId == 'pushed' | count", "timespan": map[string]any{"duration": "P30D"},
	}})[0]
	var result struct{ Tables []struct{ Rows [][]any } }
	if err := json.Unmarshal(a.Result, &result); err != nil || a.Error != nil || result.Tables[0].Rows[0][0] != 1.0 {
		t.Errorf("JavaScript: %s, %v, %+v", a.Result, err, a.Error)
	}

	_, err = program("gwt_forged").GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://api.loganalytics.io/.default"}})
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) || failed.RawResponse.StatusCode != http.StatusUnauthorized || !strings.Contains(err.Error(), "no token here") {
		t.Errorf("a forged secret: %v", err)
	}
	// What was handed out ends with the token.
	h.cli("token", "revoke", "grafana")
	_, err = logs.QueryWorkspace(t.Context(), entrasim.TenantName, query.QueryBody{Query: to.Ptr("SigninLogs | count")}, nil)
	var refused *azcore.ResponseError
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusForbidden {
		t.Errorf("after it was revoked: %v", err)
	}
}
