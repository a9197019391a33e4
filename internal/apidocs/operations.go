package main

import (
	"glassward"
	"glassward/backup"
	"glassward/console"
	"glassward/daemon"
	"glassward/incident"
	"glassward/notify"
	"glassward/state"
)

// An operation says of a route what its path and scope do not.
type operation struct {
	id, tag, summary string
	// more goes on after the summary.
	more string
	// query are the parameters behind the question mark.
	query []parameter
	// body is a value of the type that is sent as JSON, nil for none; bodyIs says what
	// is sent where that is no JSON of one type.
	body   any
	bodyIs media
	// answer is a value of the type that comes back as JSON; answerIs says what comes
	// where that is no JSON of one type.
	answer   any
	answerIs media
	// refusal is a value of the type in which errors come, nil for that of nearly every route.
	refusal any
	// codes are the statuses besides those that every route of its scope has.
	codes []int
	// microsoft is the page that describes the wire format, where it is Azure's.
	microsoft string
}

// A parameter stands behind the question mark. A name that begins with ! has to be given.
type parameter struct{ name, says string }

// A media is a content type and what it holds.
type media struct{ kind, says string }

// A page is a list with the cursor of the next.
type page struct {
	// Value is the page, newest first.
	Value []glassward.Incident `json:"value"`
	// After is the cursor of the next page, absent on the last.
	After string `json:"after,omitempty"`
}

// expectations are those of a workspace.
type expectations struct {
	Value []glassward.Expectation `json:"value"`
}

// A made token.
type made struct {
	Name string `json:"name"`
	// Token is the secret; it is told this once.
	Token string `json:"token"`
}

// An answer to a sign-in: RFC 6749, section 5.1.
type signedIn struct {
	// AccessToken is the token that was shown as a secret.
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	// ExpiresIn is for how many seconds it need not be asked for again.
	ExpiresIn    int `json:"expires_in"`
	ExtExpiresIn int `json:"ext_expires_in"`
}

// A refusal of a sign-in: RFC 6749, section 5.2.
type notSignedIn struct {
	// Error is a code of the RFC's.
	Error            string `json:"error"`
	ErrorDescription string `json:"error_description"`
	// CorrelationID names the request in our log.
	CorrelationID string `json:"correlation_id"`
}

// A done says that something was done.
type done struct {
	Status string `json:"status"`
}

const (
	queryAPI  = "https://learn.microsoft.com/azure/azure-monitor/logs/api/request-format"
	batchAPI  = "https://learn.microsoft.com/azure/azure-monitor/logs/api/batch-queries"
	ingestAPI = "https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview"
	kustoAPI  = "https://learn.microsoft.com/kusto/api/rest/request"
)

var (
	azureAnswer    = media{"application/json", "tables with columns and rows, as Microsoft describes them; with a partial error where the result was cut"}
	kustoRequest   = media{"application/json", "db, csl, properties"}
	kustoFrames    = media{"application/json", "frames, as Microsoft describes them"}
	kustoInAddress = []parameter{{"!db", "the database: a tenant's id or name"}, {"!csl", "KQL"}}
	authorityIs    = media{"application/json", "metadata of an authority (RFC 8414)"}
	signInForm     = media{"application/x-www-form-urlencoded", "grant_type (client_credentials), client_id, client_secret: RFC 6749, section 4.4"}
	pageOfHTML     = media{"text/html", "a page that works without scripts"}
)

// operations describes the routes by "METHOD path", as the console has them.
var operations = map[string]operation{
	"GET /healthz":                 {id: "health", tag: "Service", summary: "Says that the server answers", answer: done{}},
	"GET /v1/openapi.json":         {id: "description", tag: "Service", summary: "This description", answerIs: media{"application/json", "an OpenAPI 3.1 document"}},
	"GET /metrics":                 {id: "metrics", tag: "Service", summary: "Figures for Prometheus", more: "The token has to be for every tenant.", answerIs: media{"text/plain", "Prometheus' text format"}},
	"GET /v1/status":               {id: "status", tag: "Service", summary: "How everything is", more: "A token of one tenant sees that tenant alone.", answer: daemon.Status{}},
	"POST /v1/reload":              {id: "reload", tag: "Service", summary: "Reads configuration and rules again, all or nothing", answer: done{}},
	"GET /a/{letter}":              {id: "readLetter", tag: "Links", summary: "The incident page that a notice links to", answerIs: pageOfHTML},
	"POST /a/{letter}":             {id: "answerLetter", tag: "Links", summary: "Takes the incident up, by the form of that page", bodyIs: media{"application/x-www-form-urlencoded", "who, why and, where the page asks for it, a code"}, answerIs: pageOfHTML},
	"POST " + console.CallbackPath: {id: "callback", tag: "Links", summary: "Where providers of receivers call; what is not signed learns nothing", bodyIs: media{"application/octet-stream", "what the provider sends"}, answerIs: media{"text/xml", "what the provider expects"}, codes: []int{503}},

	"GET /adfs/.well-known/openid-configuration":      {id: "authority", tag: "Service", summary: "Where programs sign in for their token", answerIs: authorityIs},
	"GET /adfs/v2.0/.well-known/openid-configuration": {id: "authorityV2", tag: "Service", summary: "Where programs sign in for their token", answerIs: authorityIs},
	"GET /adfs/discovery/keys":                        {id: "authorityKeys", tag: "Service", summary: "The keys that tokens are signed with: none are", answerIs: media{"application/json", "an empty list of keys"}},
	"POST /adfs/oauth2/token":                         {id: "signIn", tag: "Service", summary: "Gives a program its token for its secret, which is the token", bodyIs: signInForm, answer: signedIn{}, refusal: notSignedIn{}, codes: []int{400, 401, 413}},
	"POST /adfs/oauth2/v2.0/token":                    {id: "signInV2", tag: "Service", summary: "Gives a program its token for its secret, which is the token", bodyIs: signInForm, answer: signedIn{}, refusal: notSignedIn{}, codes: []int{400, 401, 413}},

	"POST /v1/ingest": {id: "ingest", tag: "Records", summary: "Takes records in, in every shape that they come in",
		more:   "JSON Lines, arrays, diagnostic-settings envelopes, Graph pages, CSV; gzip or not. Of records that are refused the answer names the first hundred; 400 where none was taken.",
		query:  []parameter{{"tenant", "The workspace, needed where the token is for several"}, {"table", "The table, instead of recognising each record's"}},
		bodyIs: media{"application/octet-stream", "records"}, answer: console.Receipt{}, codes: []int{413, 415, 503}},

	"POST /v1/workspaces/{workspace}/query":    {id: "query", tag: "Azure", summary: "Runs a KQL query (Log Analytics query API v1)", bodyIs: media{"application/json", "query, timespan, workspaces"}, answerIs: azureAnswer, codes: []int{503, 504}, microsoft: queryAPI},
	"GET /v1/workspaces/{workspace}/query":     {id: "queryByAddress", tag: "Azure", summary: "Runs a KQL query that stands in the address", query: []parameter{{"!query", "KQL"}, {"timespan", "ISO 8601"}, {"workspaces", "further workspaces"}}, answerIs: azureAnswer, codes: []int{503, 504}, microsoft: queryAPI},
	"GET /v1/workspaces/{workspace}/metadata":  {id: "metadata", tag: "Azure", summary: "Tables, columns and functions of a workspace", answerIs: azureAnswer, codes: []int{503}, microsoft: queryAPI},
	"POST /v1/workspaces/{workspace}/metadata": {id: "metadataByPost", tag: "Azure", summary: "Tables, columns and functions of a workspace", answerIs: azureAnswer, codes: []int{503}, microsoft: queryAPI},
	"POST /v1/$batch":                          {id: "batch", tag: "Azure", summary: "Runs several queries; each has its own status in the answer", bodyIs: media{"application/json", "requests, each with id, path, method, headers, body, workspace"}, answerIs: media{"application/json", "responses, each with id, status, body"}, microsoft: batchAPI},

	"POST /dataCollectionRules/{rule}/streams/{stream}": {id: "collect", tag: "Azure", summary: "Takes records in by a data collection rule (Logs Ingestion API)", bodyIs: media{"application/json", "an array of records, gzip or not"}, answerIs: media{"application/json", "nothing: the status is 204"}, codes: []int{204, 413, 415, 503}, microsoft: ingestAPI},
	"GET /v1/rest/auth/metadata":                        {id: "kustoLogin", tag: "Azure", summary: "Says to Azure Data Explorer's clients that there is nothing to log in to", answerIs: media{"application/json", "nothing: the status is 404, by which clients go on with the token that they have"}, codes: []int{404}, microsoft: kustoAPI},
	"POST /v2/rest/query":                               {id: "kustoQuery", tag: "Azure", summary: "Runs a KQL query (Kusto REST API v2)", bodyIs: kustoRequest, answerIs: kustoFrames, codes: []int{413, 503, 504}, microsoft: kustoAPI},
	"GET /v2/rest/query":                                {id: "kustoQueryByAddress", tag: "Azure", summary: "Runs a KQL query that stands in the address (Kusto REST API v2)", query: kustoInAddress, answerIs: kustoFrames, codes: []int{400, 503, 504}, microsoft: kustoAPI},
	"POST /v1/rest/query":                               {id: "kustoQueryV1", tag: "Azure", summary: "Runs a KQL query (Kusto REST API v1)", bodyIs: kustoRequest, answerIs: azureAnswer, codes: []int{413, 503, 504}, microsoft: kustoAPI},
	"GET /v1/rest/query":                                {id: "kustoQueryV1ByAddress", tag: "Azure", summary: "Runs a KQL query that stands in the address (Kusto REST API v1)", query: kustoInAddress, answerIs: azureAnswer, codes: []int{400, 503, 504}, microsoft: kustoAPI},
	"POST /v1/rest/mgmt":                                {id: "kustoCommand", tag: "Azure", summary: "Runs a .show command that clients send", bodyIs: kustoRequest, answerIs: azureAnswer, codes: []int{413}, microsoft: kustoAPI},
	"POST /v1/rest/ingest/{what...}":                    {id: "kustoIngest", tag: "Azure", summary: "Says that streaming ingestion is not offered", bodyIs: media{"application/octet-stream", "anything"}, answerIs: media{"application/json", "never: it is refused"}, microsoft: kustoAPI},

	"GET /v1/workspaces/{workspace}/incidents": {id: "incidents", tag: "Incidents", summary: "A page of incidents, newest first",
		query: []parameter{{"status", "New, Active or Closed"}, {"limit", "1 to 1000, 100 where it is absent"}, {"after", "The cursor that the page before gave"}}, answer: page{}},
	"GET /v1/workspaces/{workspace}/incidents/{number}":       {id: "incident", tag: "Incidents", summary: "An incident with its alerts, deliveries and evidence", answer: console.Case{}},
	"GET /v1/workspaces/{workspace}/incidents/{number}/graph": {id: "incidentGraph", tag: "Incidents", summary: "An incident's entities and what connects them", answer: incident.Graph{}},
	"POST /v1/workspaces/{workspace}/incidents/{number}/{action}": {id: "act", tag: "Incidents", summary: "Acts upon an incident: acknowledge, assign, comment, explain, task or close",
		body: console.Action{}, answer: glassward.Incident{}, codes: []int{409}},
	"GET /v1/workspaces/{workspace}/expected":                {id: "expected", tag: "Incidents", summary: "What is and was expected, the latest first, at most a hundred", answer: expectations{}},
	"POST /v1/workspaces/{workspace}/expected":               {id: "declareExpected", tag: "Incidents", summary: "Declares that an account will be used; whoever is told of alarms is told of it", body: glassward.Expectation{}, answer: glassward.Expectation{}},
	"POST /v1/workspaces/{workspace}/expected/{id}/withdraw": {id: "withdrawExpected", tag: "Incidents", summary: "Ends an expectation before its time", body: console.Withdrawal{}, answer: glassward.Expectation{}},

	"GET /v1/workspaces/{workspace}/rules": {id: "rules", tag: "Rules", summary: "How the rules stand", answer: []daemon.RuleStatus{}},
	"POST /v1/workspaces/{workspace}/backtest": {id: "backtest", tag: "Rules", summary: "What a rule would have raised over what is stored, or how two versions differ; commits nothing",
		body: console.Backtest{}, answer: daemon.BacktestAnswer{}, codes: []int{504}},

	"POST /v1/actiongroups/{group}/test":  {id: "testGroup", tag: "Receivers", summary: "Sends a test to every receiver of an action group", answer: []notify.TestResult{}},
	"POST /v1/actiongroups/{group}/prove": {id: "prove", tag: "Receivers", summary: "Sends each receiver a test with a code", body: console.Proof{}, answer: []notify.TestResult{}},
	"GET /v1/proofs":                      {id: "proofs", tag: "Receivers", summary: "When a person last proved that a receiver reaches somebody", answer: []notify.Proof{}},
	"POST /v1/proofs":                     {id: "answerProof", tag: "Receivers", summary: "Takes the code that a person has read", body: console.Proof{}, answer: notify.Proof{}},

	"GET /v1/tokens":           {id: "tokens", tag: "Tokens", summary: "What is known of the tokens; never a secret", answer: []state.Token{}},
	"POST /v1/tokens":          {id: "createToken", tag: "Tokens", summary: "Makes a token; its secret is told this once", body: console.NewToken{}, answer: made{}},
	"DELETE /v1/tokens/{name}": {id: "revokeToken", tag: "Tokens", summary: "Revokes a token at once", answer: done{}},

	"POST /v1/export":  {id: "export", tag: "Data", summary: "Everything that is kept of one tenant", more: "One that is cut off has no manifest.", body: console.Departure{}, answerIs: media{"application/zip", "a zip archive with a manifest"}},
	"POST /v1/backup":  {id: "backup", tag: "Data", summary: "Writes a backup into a folder of the machine", body: console.Backup{}, answer: backup.Taken{}},
	"POST /v1/restore": {id: "restore", tag: "Data", summary: "Puts a workspace of a backup in place", body: console.Restore{}, answer: backup.Restored{}},
	"POST /v1/compact": {id: "compact", tag: "Data", summary: "Gives the space of removed records back", body: console.Compact{}, answer: []daemon.Compacted{}},
	"POST /v1/forget":  {id: "forget", tag: "Data", summary: "Removes what is kept of a tenant that is not configured any more", body: console.Departure{}, answer: daemon.Forgotten{}},
}
