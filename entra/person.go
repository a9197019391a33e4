package entra

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"glassward"
)

// PersonToken is a credential that gives one token, which somebody got by signing in, as
// with "az account get-access-token --resource https://management.azure.com". It is good
// for an hour or so, for the one service that it was asked for, and cannot be renewed.
type PersonToken struct {
	// Token refers to the token: env:NAME or file:PATH.
	Token glassward.Secret
}

// GetToken gives the token. A reference that cannot be read is a *Fault.
func (p PersonToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	text, err := p.Token.Reveal()
	if err != nil {
		return azcore.AccessToken{}, &Fault{Kind: FaultToken, Service: "Microsoft Entra ID", Doing: "use the token of a person", Message: err.Error(), Err: err}
	}
	t := azcore.AccessToken{Token: text}
	if c, ok := ParseClaims(text); ok {
		t.ExpiresOn = c.Expires
	}
	return t, nil
}
