package ingest_test

import (
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/ingest"
	"glassward/kql/value"
	"glassward/schema"
)

// TestDefendersEnvelope reads what Defender streams: the category names the
// table, the event's time is in the properties.
func TestDefendersEnvelope(t *testing.T) {
	const tenant = "0f4d2c1e-7a39-4b65-8d5e-3f1c9a7b2d40"
	d, err := ingest.NewDecoder(nil, ingest.DecoderOptions{Tenant: tenant, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	var b ingest.Batch
	d.Add(&b, []byte(`{"records":[{"time":"2026-11-20T10:07:30.0000000Z","tenantId":"`+tenant+`","operationName":"Publish","category":"AdvancedHunting-CloudAppEvents","properties":{"ActionType":"Add member to role.","ApplicationId":11161,"AccountObjectId":"5d0b7c11-2e84-4f6a-b3c9-000000000001","IsAdminOperation":true,"ReportId":"report-1","Timestamp":"2026-11-20T10:00:00.1234567Z","RawEventData":{"Operation":"Add member to role."}}},`+
		`{"time":"2026-11-20T10:07:30Z","tenantId":"`+tenant+`","category":"AdvancedHunting-NoSuchTable","properties":{"Timestamp":"2026-11-20T10:00:00Z"}},`+
		`{"time":"2026-11-20T10:07:30Z","tenantId":"11111111-2222-3333-4444-555555555555","category":"AdvancedHunting-CloudAppEvents","properties":{"ReportId":"report-2","Timestamp":"2026-11-20T10:00:00Z"}}]}`))
	if len(b.Records) != 1 || len(b.Rejects) != 2 {
		t.Fatalf("%d records, rejects %+v", len(b.Records), b.Rejects)
	}
	r := b.Records[0]
	if want := time.Date(2026, 11, 20, 10, 0, 0, 123456700, time.UTC); r.Table != "CloudAppEvents" || !r.Time.Equal(want) || r.EntraID != "report-1" || r.Tenant != tenant {
		t.Errorf("%s %s %q %q", r.Table, r.Time, r.EntraID, r.Tenant)
	}
	table, _ := schema.Default().Lookup("CloudAppEvents")
	for column, want := range map[string]glassward.Value{
		"ActionType": glassward.String("Add member to role."), "ApplicationId": glassward.Long(11161), "IsAdminOperation": glassward.Bool(true),
		"RawEventData": glassward.String(`{"Operation":"Add member to role."}`), "SourceSystem": glassward.String(""),
		"TimeGenerated": glassward.Long(int64(value.FromTime(r.Time))),
	} {
		i, _ := table.Index(column)
		if got := r.Values[i]; got != want {
			t.Errorf("%s is %+v, want %+v", column, got, want)
		}
	}
	if !strings.Contains(b.Rejects[0].Reason, "AdvancedHunting-NoSuchTable") {
		t.Error(b.Rejects[0].Reason)
	}
}
