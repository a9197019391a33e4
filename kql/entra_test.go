package kql_test

import (
	"glassward/kql/rel"
	"glassward/kql/value"
)

// entra gives three tables with a few columns of the real ones, for tests that print what they see.
func entra() tables {
	own := []rel.Column{{Name: "_TimeReceived", Type: value.DateTime}, {Name: "_ItemId", Type: value.GUID}}
	table := func(name string, cols ...rel.Column) *rel.Table {
		return &rel.Table{Name: name, Columns: append(cols, own...)}
	}
	audit := table("AuditLogs", rel.Column{Name: "TimeGenerated", Type: value.DateTime}, rel.Column{Name: "Id", Type: value.String}, rel.Column{Name: "OperationName", Type: value.String},
		rel.Column{Name: "Result", Type: value.String}, rel.Column{Name: "InitiatedBy", Type: value.Dynamic}, rel.Column{Name: "TargetResources", Type: value.Dynamic}, rel.Column{Name: "DurationMs", Type: value.Long})
	audit.Shadows = []rel.Shadow{{Name: "_Who_id", Column: "InitiatedBy", Path: ".user.id", Type: value.String}, {Name: "_Target_ids", Column: "TargetResources", Path: "[*].id", Type: value.String}}
	return tables{
		"AuditLogs": audit,
		"SigninLogs": table("SigninLogs", rel.Column{Name: "TimeGenerated", Type: value.DateTime}, rel.Column{Name: "Id", Type: value.String}, rel.Column{Name: "UserId", Type: value.String}, rel.Column{Name: "UserPrincipalName", Type: value.String},
			rel.Column{Name: "AppDisplayName", Type: value.String}, rel.Column{Name: "IPAddress", Type: value.String}, rel.Column{Name: "ResultType", Type: value.String}, rel.Column{Name: "IsInteractive", Type: value.Bool},
			rel.Column{Name: "DeviceDetail", Type: value.Dynamic}, rel.Column{Name: "LocationDetails", Type: value.Dynamic}),
		"AADRiskyUsers": table("AADRiskyUsers", rel.Column{Name: "TimeGenerated", Type: value.DateTime}, rel.Column{Name: "Id", Type: value.String}, rel.Column{Name: "RiskLevel", Type: value.String}),
	}
}
