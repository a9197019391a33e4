package acceptance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"glassward/cli"
)

// run runs one command line in this process.
func run(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Main(t.Context(), cli.Env{
		Args: args, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		Getenv: func(string) string { return "" },
	})
	return code, out.String(), errs.String()
}

// Sign-ins and audit records of other people's tenants, in every shape that they
// come in: a query over the files counts every record once.
func TestEveryRecordOnce(t *testing.T) {
	var files []string
	for _, pattern := range []string{"signin_*.ndjson", "audit_*.ndjson"} {
		found, err := filepath.Glob(filepath.Join(shared, "samples", pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			want := countByHand(t, lines(t, file))
			code, out, errs := run(t, "", "query", "-o", "ndjson", "--from", file, countEverything)
			if code != 0 {
				t.Fatalf("exit %d: %s", code, errs)
			}
			have := counts(t, out)
			if fmt.Sprint(have) != fmt.Sprint(want) {
				t.Errorf("counted %v, want %v\n%s", have, want, errs)
			}
		})
	}
	if len(files) == 0 {
		return
	}
	t.Run("together", func(t *testing.T) {
		var all [][]byte
		args := []string{"query", "-o", "ndjson"}
		for _, file := range files {
			all = append(all, lines(t, file)...)
			args = append(args, "--from", file)
		}
		want := countByHand(t, all)
		code, out, errs := run(t, "", append(args, countEverything)...)
		if code != 0 {
			t.Fatalf("exit %d: %s", code, errs)
		}
		if have := counts(t, out); fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("counted %v, want %v\n%s", have, want, errs)
		}
	})
}

// countEverything counts the records of the tables that sign-ins and audit
// records go to.
const countEverything = `union withsource=Table SigninLogs, AADNonInteractiveUserSignInLogs, AADServicePrincipalSignInLogs, AADManagedIdentitySignInLogs, ADFSSignInLogs, MicrosoftServicePrincipalSignInLogs, AuditLogs
| summarize Records = count() by Table | sort by Table asc`

func counts(t *testing.T, ndjson string) map[string]int {
	t.Helper()
	m := map[string]int{}
	for line := range strings.Lines(ndjson) {
		var row struct {
			Table   string
			Records int
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		m[row.Table] = row.Records
	}
	return m
}

// countByHand reads records with nothing of Glassward's: the kind of a record by
// the few words that tell it, and the id that stands in it. Records of one id
// and kind are one, unless they contradict each other in who acted, what was
// done or how it ended; such copies are kept beside each other.
func countByHand(t *testing.T, records [][]byte) map[string]int {
	t.Helper()
	seen := map[string]map[string]bool{}
	for _, raw := range records {
		var top map[string]any
		if err := json.Unmarshal(raw, &top); err != nil {
			t.Fatal(err)
		}
		r := flat(top)
		table := kindOf(r)
		id := text(r["id"])
		if id == "" {
			id = string(raw)
		}
		id += contradictions(r)
		if seen[table] == nil {
			seen[table] = map[string]bool{}
		}
		seen[table][id] = true
	}
	m := map[string]int{}
	for table, ids := range seen {
		m[table] = len(ids)
	}
	return m
}

// flat gives a record's own properties and those of "properties", by their names
// in lower case; what is a column in one shape and an object in another keeps
// its name.
func flat(top map[string]any) map[string]any {
	r := map[string]any{}
	for k, v := range top {
		r[strings.ToLower(k)] = v
	}
	if p, ok := r["properties"].(map[string]any); ok {
		for k, v := range p {
			k = strings.ToLower(k)
			if _, there := r[k]; !there || k == "id" {
				r[k] = v
			}
		}
	}
	return r
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func kindOf(r map[string]any) string {
	category := strings.ToLower(text(r["category"]))
	typ := text(r["type"])
	switch {
	case slices.Contains([]string{"SigninLogs", "AADNonInteractiveUserSignInLogs", "AADServicePrincipalSignInLogs", "AADManagedIdentitySignInLogs", "ADFSSignInLogs", "AuditLogs"}, typ):
		return typ
	case category == "noninteractiveusersigninlogs":
		return "AADNonInteractiveUserSignInLogs"
	case category == "serviceprincipalsigninlogs":
		return "AADServicePrincipalSignInLogs"
	case category == "managedidentitysigninlogs":
		return "AADManagedIdentitySignInLogs"
	case category == "adfssigninlogs":
		return "ADFSSignInLogs"
	case category == "microsoftserviceprincipalsigninlogs":
		return "MicrosoftServicePrincipalSignInLogs"
	case r["targetresources"] != nil || r["activitydisplayname"] != nil || r["initiatedby"] != nil:
		return "AuditLogs"
	}
	return "SigninLogs"
}

// contradictions is what two records of one id must agree on to be one: who
// acted and what was done. How it ended may change.
func contradictions(r map[string]any) string {
	who := text(r["userid"])
	if by, ok := r["initiatedby"].(map[string]any); ok {
		if user, ok := by["user"].(map[string]any); ok {
			who += text(user["userPrincipalName"])
		}
	}
	return strings.Join([]string{"", who, text(r["operationname"]), text(r["activitydisplayname"])}, "\x00")
}
