package cloud_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azcloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// certificate makes a certificate with an RSA key, as an administrator would.
func certificate(t *testing.T) (*x509.Certificate, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Glassward"}, NotBefore: start.AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(2, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// options point Microsoft's library at a cloud and at nothing else.
func options(hc *http.Client, e cloud.Endpoints) azcore.ClientOptions {
	return azcore.ClientOptions{
		Transport: hc, Retry: policy.RetryOptions{MaxRetries: -1},
		Cloud: azcloud.Configuration{ActiveDirectoryAuthorityHost: e.Authority + "/"},
	}
}

func TestMicrosoftsLibraryGetsTokens(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 1, Start: time.Now().Add(-time.Hour)})
	c := cloud.New(cloud.Options{Worlds: []*entrasim.World{w}})
	defer c.Close()
	cert, key := certificate(t)
	w.AddCertificate(entrasim.GlasswardApp, entrasim.Certificate{DER: cert.Raw, To: cert.NotAfter})
	w.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s3cret~+/ ü", To: time.Now().Add(time.Hour)})
	fed := entrasim.Federation{Issuer: cloud.PlatformIssuer, Subject: "system:serviceaccount:glassward", Audience: "api://AzureADTokenExchange"}
	w.AddFederation(entrasim.GlasswardApp, fed)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(c.FederatedToken(fed, time.Hour)), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := c.Listen()
	if err != nil {
		t.Fatal(err)
	}
	hc := c.Client(e)
	tenant := w.Tenant().ID
	opts := options(hc, e)
	for name, make := range map[string]func() (azcore.TokenCredential, error){
		"certificate": func() (azcore.TokenCredential, error) {
			return azidentity.NewClientCertificateCredential(tenant, entrasim.GlasswardApp, []*x509.Certificate{cert}, key, &azidentity.ClientCertificateCredentialOptions{ClientOptions: opts, DisableInstanceDiscovery: true})
		},
		"secret": func() (azcore.TokenCredential, error) {
			return azidentity.NewClientSecretCredential(tenant, entrasim.GlasswardApp, "s3cret~+/ ü", &azidentity.ClientSecretCredentialOptions{ClientOptions: opts, DisableInstanceDiscovery: true})
		},
		"federation": func() (azcore.TokenCredential, error) {
			return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{ClientOptions: opts, DisableInstanceDiscovery: true, ClientID: entrasim.GlasswardApp, TenantID: tenant, TokenFilePath: file})
		},
		"managed identity": func() (azcore.TokenCredential, error) {
			return azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: opts})
		},
	} {
		t.Run(name, func(t *testing.T) {
			cred, err := make()
			if err != nil {
				t.Fatal(err)
			}
			tok, err := cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{e.Graph + "/.default"}})
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(tok.ExpiresOn); left < 55*time.Minute || left > 91*time.Minute {
				t.Errorf("the token lives for %v", left)
			}
			req, _ := http.NewRequest(http.MethodGet, e.Graph+"/v1.0/auditLogs/directoryAudits?$top=1", nil)
			req.Header.Set("Authorization", "Bearer "+tok.Token)
			resp, err := hc.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("Graph answers the token with %s", resp.Status)
			}
		})
	}
}
