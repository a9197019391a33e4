package entra

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"glassward"
)

// CredentialOptions say as whom tokens are asked for. Exactly one of
// Certificate, ClientSecret, FederatedToken and ManagedIdentity is set.
type CredentialOptions struct {
	Cloud    Cloud
	Tenant   string
	ClientID string

	Certificate         glassward.Secret // PEM or PFX, with its private key
	CertificatePassword glassward.Secret
	ClientSecret        glassward.Secret
	FederatedToken      string // path of a file that the platform renews
	ManagedIdentity     bool

	HTTP *http.Client
	Now  func() time.Time
}

// A Credential gets tokens for our application. It is safe for concurrent use.
type Credential struct{ o CredentialOptions }

// NewCredential reads what the options point at and asks nobody yet.
func NewCredential(o CredentialOptions) (*Credential, error) { return &Credential{o: o}, nil }

// GetToken gives a token for the scopes. Its errors are faults.
func (c *Credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, errors.New("entra: under construction")
}

// Expires says when the certificate ends, if there is one.
func (c *Credential) Expires() (time.Time, bool) { return time.Time{}, false }
