package entrasim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glassward/internal/entrasim"
)

// typed writes JSON values as TypeScript literals of a type. A literal may have
// no property that its type does not have.
func typed(b *bytes.Buffer, name, kind string, list []json.RawMessage) {
	fmt.Fprintf(b, "export const %s: %s[] = [\n", name, kind)
	for _, raw := range list {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			panic(err)
		}
		plain, err := json.Marshal(withoutAnnotations(v))
		if err != nil {
			panic(err)
		}
		b.Write(plain)
		b.WriteString(",\n")
	}
	b.WriteString("];\n")
}

// withoutAnnotations leaves out what OData writes beside the properties.
func withoutAnnotations(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if strings.Contains(k, "@odata.") {
				delete(v, k)
				continue
			}
			v[k] = withoutAnnotations(x)
		}
	case []any:
		for i := range v {
			v[i] = withoutAnnotations(v[i])
		}
	}
	return v
}

// TestMicrosoftsTypesTakeOurObjects has the TypeScript compiler check what the
// world gives against the types that Microsoft publishes for Graph.
func TestMicrosoftsTypesTakeOurObjects(t *testing.T) {
	if _, err := os.Stat("npm/node_modules/typescript"); err != nil {
		install := exec.Command("npm", "ci", "--no-audit", "--no-fund")
		install.Dir = "npm"
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
	}
	rates := entrasim.Normal()
	rates.Risk, rates.Audit, rates.Policy, rates.Provisioning, rates.NonInteractive = 40, 500, 10, 40, 3
	w := entrasim.NewWorld(entrasim.Options{Seed: 31, Start: monday, Users: 60, Rates: &rates})
	w.AddCertificate(entrasim.GlasswardApp, entrasim.Certificate{DER: []byte("certificate"), From: monday, To: monday.Add(8760 * time.Hour)})
	w.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "a secret that nobody sees", From: monday, To: monday.Add(8760 * time.Hour)})
	w.AddFederation(entrasim.GlasswardApp, entrasim.Federation{Issuer: "https://issuer.example", Subject: "glassward", Audience: "api://AzureADTokenExchange"})
	for i, name := range []string{"S1", "S2", "S9", "S12"} {
		w.Begin(entrasim.Scenario(name), monday.Add(time.Duration(8+i)*time.Hour))
	}
	w.Advance(monday.Add(48 * time.Hour))

	var b bytes.Buffer
	b.WriteString("import type { v1, beta, SignIn } from \"../shapes\";\nexport type { beta };\n")
	lists, count := map[string][]json.RawMessage{}, map[entrasim.Kind]int{}
	for _, e := range w.Events() {
		if count[e.Kind]++; count[e.Kind] > 120 {
			continue
		}
		for v := 1; v <= e.Versions(); v++ {
			switch kind := ""; e.Kind {
			case entrasim.CloudAppEvent:
				continue
			case entrasim.DirectoryAudit:
				lists["v1.DirectoryAudit"] = append(lists["v1.DirectoryAudit"], e.Graph(v))
			case entrasim.Provisioning:
				lists["v1.ProvisioningObjectSummary"] = append(lists["v1.ProvisioningObjectSummary"], e.Graph(v))
			case entrasim.RiskDetection:
				lists["v1.RiskDetection"] = append(lists["v1.RiskDetection"], e.Graph(v))
			case entrasim.RiskyUser:
				lists["v1.RiskyUser"] = append(lists["v1.RiskyUser"], e.Graph(v))
			default:
				kind = "SignIn"
				lists[kind] = append(lists[kind], e.Graph(v))
				if one := e.V1(v); one != nil {
					lists["v1.SignIn"] = append(lists["v1.SignIn"], one)
				}
			}
		}
	}
	for path, kind := range map[string]string{
		"users": "v1.User", "groups": "v1.Group", "applications": "v1.Application", "servicePrincipals": "v1.ServicePrincipal", "directoryRoles": "v1.DirectoryRole",
		"roleManagement/directory/roleDefinitions": "v1.UnifiedRoleDefinition", "roleManagement/directory/roleAssignments": "v1.UnifiedRoleAssignment", "subscribedSkus": "v1.SubscribedSku",
		"organization": "v1.Organization", "identity/conditionalAccess/policies": "v1.ConditionalAccessPolicy", "identity/conditionalAccess/namedLocations": "v1.IpNamedLocation",
		"directory/administrativeUnits": "v1.AdministrativeUnit", "servicePrincipals/" + entrasim.GlasswardApp + "/appRoleAssignments": "v1.AppRoleAssignment",
	} {
		list, ok := w.Objects(path)
		if !ok || len(list) == 0 {
			t.Errorf("nothing at %s", path)
		}
		lists[kind] = append(lists[kind], list...)
	}
	if len(lists) != 19 {
		t.Errorf("%d types are checked", len(lists))
	}
	for kind, list := range lists {
		if len(list) == 0 {
			t.Errorf("no %s", kind)
		}
		typed(&b, "list"+strings.ReplaceAll(kind, ".", ""), kind, list)
	}
	if out, err := compile(t, b.Bytes()); err != nil {
		t.Fatalf("tsc: %v\n%s", err, out)
	}
}

// TestMicrosoftsTypesRefuseOthers: the check is one that can fail.
func TestMicrosoftsTypesRefuseOthers(t *testing.T) {
	if _, err := os.Stat("npm/node_modules/typescript"); err != nil {
		TestMicrosoftsTypesTakeOurObjects(t)
	}
	out, err := compile(t, []byte(`import type { v1, SignIn } from "../shapes";
export const a: SignIn[] = [{"id":"1","createdDateTime":"2026-11-16T00:00:00Z","conditionalAccessState":"success"}];
export const b: v1.RiskDetection[] = [{"id":"1","riskLevel":"enormous"}];
`))
	if err == nil || !strings.Contains(out, "conditionalAccessState") || !strings.Contains(out, "enormous") {
		t.Errorf("%v\n%s", err, out)
	}
}

// compile type-checks a file beside shapes.ts.
func compile(t *testing.T, source []byte) (string, error) {
	t.Helper()
	dir, err := os.MkdirTemp("npm", "checked-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	config := `{"extends":"../tsconfig.json","include":["objects.ts"]}`
	for name, content := range map[string][]byte{"objects.ts": source, "tsconfig.json": []byte(config)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tsc := exec.Command("node", "node_modules/typescript/bin/tsc", "-p", filepath.Base(dir))
	tsc.Dir = "npm"
	out, err := tsc.CombinedOutput()
	if len(out) > 4000 {
		out = append(out[:4000], " …"...)
	}
	return string(out), err
}
