package corpus

import (
	"fmt"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/value"
)

// dynamics are values for dynamic columns: the shapes that logs have, and some that a query has to bear.
var dynamics = [...]any{
	`[{"id":"c0a70000-0000-4000-8000-000000000001","displayName":"EA-01","type":"User","userPrincipalName":"ea-01@contoso.example","modifiedProperties":[{"displayName":"StrongAuthenticationMethod","oldValue":"[]","newValue":"[{\"MethodType\":6}]"},{"displayName":"Role.DisplayName","oldValue":null,"newValue":"\"Global Administrator\""}]}]`,
	`{"user":{"id":"ad000000-0000-4000-8000-000000000003","displayName":"Ann","userPrincipalName":"ann@contoso.example","ipAddress":"203.0.113.7"},"app":{"displayName":null}}`,
	`[{"key":"User-Agent","value":"Mozilla/5.0 (Windows NT 10.0)"},{"key":"AppId","value":"1b730954-1685-4b74-9bfd-dac224a7b894"}]`,
	`{"errorCode":50126,"additionalDetails":"MFA required","city":"Oslo","state":"Oslo","countryOrRegion":"NO","geoCoordinates":{"latitude":59.9,"longitude":10.7},"operatingSystem":"Windows","browser":"Edge","isCompliant":false,"Workload":"AzureActiveDirectory"}`,
	`[]`, `{}`, nil, `"text"`, `17`, `true`, `[1,[2,{"a":null}],"x"]`, `{"":"", "a b":{"c":[null]}}`,
}

// shapes tell which of dynamics a column mostly has.
var shapes = map[string]int{"TargetResources": 0, "InitiatedBy": 1, "AdditionalDetails": 2, "Status": 3, "LocationDetails": 3, "DeviceDetail": 3}

// texts are values for string columns of which the name says nothing.
var texts = [...]string{
	"", "0", "success", "Add member to role", "50126", "User", "High", "Azure Portal",
	`{"user":"ann@contoso.example","list":[1,2]}`, `[{"Type":"ip","Address":"198.51.100.9"}]`, "Ünïcödé 漢字", "not { json",
}

// Sample gives n rows for a table, the same every time: columns by their names where these say what
// they hold, else values of their type in turn. Cells are those of a kql.Watchlist, datetimes in ticks.
func Sample(t *rel.Table, n int, now value.Ticks) [][]any {
	rows := make([][]any, n)
	for i := range rows {
		rows[i] = make([]any, len(t.Columns))
		for j, c := range t.Columns {
			rows[i][j] = cell(c, i, j, now)
		}
	}
	return rows
}

func cell(c rel.Column, i, j int, now value.Ticks) any {
	k := i*7 + j*3
	switch c.Type {
	case value.Bool:
		return [...]any{true, false, nil}[k%3]
	case value.Int:
		return [...]any{int64(0), int64(1), int64(50126), nil, int64(-5)}[k%5]
	case value.Long:
		return [...]any{int64(0), int64(3), int64(1) << 40, nil, int64(-1)}[k%5]
	case value.Real, value.Decimal:
		return [...]any{0.0, 1.5, -2.25e9, nil}[k%4]
	case value.DateTime:
		if c.Name == rel.TimeColumn || k%5 > 0 {
			// From the last minutes to some weeks back.
			return int64(now) - int64(value.Minute)*int64(i*i*37+j)
		}
		return nil
	case value.TimeSpan:
		return int64(value.Minute) * int64(k)
	case value.GUID:
		return fmt.Sprintf("%08d-0000-4000-8000-%012d", j, i)
	case value.Dynamic:
		if shape, known := shapes[c.Name]; known && i%8 != 7 {
			return dynamics[shape]
		}
		return dynamics[k%len(dynamics)]
	}
	name := strings.ToLower(c.Name)
	switch {
	case name == "type":
		return ""
	case strings.Contains(name, "principalname"), strings.Contains(name, "upn"), name == "caller", name == "account":
		return fmt.Sprintf("Person%d@contoso.example", i%4)
	case strings.Contains(name, "ipaddress"), name == "clientip":
		return [...]string{"203.0.113.7", "198.51.100.9", "2001:db8::1", ""}[i%4]
	case strings.HasSuffix(name, "id"):
		return fmt.Sprintf("00000000-0000-4000-8000-%012d", i%5)
	}
	return texts[k%len(texts)]
}
