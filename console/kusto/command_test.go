package kusto_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"glassward/console/kusto"
	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

var databases = []kusto.Database{
	{Name: "contoso", Pretty: "contoso", ID: "11111111-0000-4000-8000-000000000001", Current: true,
		Tables: []kusto.TableSchema{
			{Name: "SigninLogs", Doc: `Sign-ins of "users".`, Columns: []kusto.ColumnSchema{{Name: "TimeGenerated", Type: value.DateTime, Doc: "When."}, {Name: "Status", Type: value.Dynamic}, {Name: "IsRisky", Type: value.Bool}}},
			{Name: "AuditLogs", Columns: []kusto.ColumnSchema{{Name: "odd name", Type: value.String}, {Name: "m", Type: value.Decimal}}},
		},
		Functions: []kql.StoredFunction{{Name: "Failed", Doc: "What failed.", Body: "{ T | where n > least }", Parameters: []kql.Parameter{
			{Name: "T", Table: true, Columns: []rel.Column{{Name: "n", Type: value.Long}}}, {Name: "least", Type: value.Long, Default: "5"}}}}},
	{Name: "22222222-0000-4000-8000-000000000002", ID: "22222222-0000-4000-8000-000000000002"},
}

// TestCommands gives the results of the commands that testdata/commands.txt lists, and what is said of those
// that there are not.
func TestCommands(t *testing.T) {
	golden(t, "testdata/commands.txt", func(text string) []byte {
		c, wrong := kusto.ReadCommand(text)
		if wrong != nil {
			return []byte(wrong.Code + " " + wrong.Type + "\n" + wrong.Message + "\n")
		}
		// Which databases it is about is the caller's to find.
		about, every := c.Databases()
		var list []kusto.Database
		for _, d := range databases {
			for _, name := range about {
				every = every || name == d.Name || name == "" && d.Current
			}
			if every {
				list = append(list, d)
			}
			_, every = c.Databases()
		}
		if len(about) > 0 && len(list) == 0 {
			return []byte("about " + strings.Join(about, " and ") + "\n")
		}
		if !c.NeedsSchema() {
			for i := range list {
				list[i].Tables, list[i].Functions = nil, nil
			}
		}
		table, wrong := c.Show(list, kusto.Caller{Name: "grafana", Version: "1.2.3"})
		if wrong != nil {
			return []byte(wrong.Code + " " + wrong.Type + "\n" + wrong.Message + "\n")
		}
		if c.Pipe != "" {
			return []byte(c.Piped(table) + "\n")
		}
		var out bytes.Buffer
		if err := kusto.WriteTable(&out, table); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(out.Bytes()) {
			t.Errorf("%s gives no JSON", text)
		}
		// A row a line, to be read.
		return []byte(strings.NewReplacer(`"Rows":[[`, "\"Rows\":[\n[", `],["`, "],\n[\"").Replace(out.String()))
	})
}

// FuzzReadCommand holds that no text makes reading a command fail, and that what it pipes is a query
// beginning with the result.
func FuzzReadCommand(f *testing.F) {
	for _, text := range []string{".show version", ".show table ['a b'] cslschema | take 1", ".show databases (a, 'b') schema as json", ".show database d.e schema if_later_than \"v1\"", ".drop table T", ".show table \"x\\", "."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, wrong := kusto.ReadCommand(text)
		if wrong != nil {
			if wrong.Status != 400 || wrong.Message == "" {
				t.Errorf("%q: %+v", text, wrong)
			}
			return
		}
		table, wrong := c.Show(databases, kusto.Caller{})
		if wrong == nil && !strings.HasPrefix(c.Piped(table), "datatable(") {
			t.Errorf("%q pipes %q", text, c.Piped(table))
		}
	})
}

// FuzzReadRequest holds that no body makes reading it fail, and that what is read can be written.
func FuzzReadRequest(f *testing.F) {
	for _, text := range []string{
		`{"db":"d","csl":"T","properties":{"Options":{"servertimeout":"00:04:00","truncationmaxrecords":5,"results_v2_fragment_primary_tables":true},"Parameters":{"a":"long(5)","b":true,"c":null}}}`,
		`{"db":null,"csl":"T","properties":"{\"Options\":{\"query_take_max_records\":\"1\"},\"ClientRequestId\":\"x\"}"}`,
		`{"csl":"T","properties":null}`, `[]`, `{"csl":5}`, `{"csl":"T","properties":{"Options":{"servertimeout":"-1"}}}`, `{"csl":"T","properties":{"Options":[]}}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := kusto.ReadRequest(strings.NewReader(text))
		if err != nil {
			return
		}
		if strings.TrimSpace(r.Text) == "" || r.Options.Timeout < 0 || r.Options.MaxRecords < 0 {
			t.Errorf("%q is read as %+v", text, r)
		}
		var out bytes.Buffer
		a := kusto.Answer{Result: results()["cut"], Options: r.Options, Activity: activity()}
		if err := a.WriteV2(t.Context(), &out); err != nil || !json.Valid(out.Bytes()) {
			t.Errorf("%q: %v\n%s", text, err, out.String())
		}
	})
}

// TestBadRequests are bodies that cannot be read, and what is said of them.
func TestBadRequests(t *testing.T) {
	for body, want := range map[string]string{
		``:                             `the body is not JSON`,
		`{"csl":""}`:                   "the body has no query",
		`{"db":"x"}`:                   "the body has no query",
		`{"csl":"T","properties":5}`:   "the properties cannot be read",
		`{"csl":"T","properties":"{"}`: "the properties cannot be read",
		`{"csl":"T","properties":{"Options":{"servertimeout":"soon"}}}`:                         `the option servertimeout is "soon"`,
		`{"csl":"T","properties":{"Options":{"ServerTimeout":"-00:00:01"}}}`:                    `the option ServerTimeout is "-00:00:01"`,
		`{"csl":"T","properties":{"Options":{"truncationmaxrecords":1.5}}}`:                     `the option truncationmaxrecords is "1.5"`,
		`{"csl":"T","properties":{"Options":{"results_v2_newlines_between_frames":"perhaps"}}}`: `is "perhaps", and is true or false`,
		`{"csl":"T","properties":{"Options":{"results_error_reporting_placement":"here"}}}`:     `is "here", and is in_data`,
	} {
		if _, err := kusto.ReadRequest(strings.NewReader(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n gives %v\n want  %s", body, err, want)
		}
	}
	r, err := kusto.ReadRequest(strings.NewReader(`{"DB":"d","csl":"T","properties":{"Options":{"servertimeout":"365.00:00:00","notruncation":true,"client_max_redirect_count":4},"Parameters":{"a":"'x'","b":10,"c":true}}}`))
	if err != nil || r.Database != "d" || r.Options.Timeout.Hours() != 24 || r.Parameters["a"] != "'x'" || r.Parameters["b"] != "10" || r.Parameters["c"] != "true" {
		t.Errorf("%+v, %v", r, err)
	}
}
