package entra

import "context"

// FindOrganisation names the tenant and its verified domains. It needs
// Organization.Read.All.
func FindOrganisation(ctx context.Context, graph *Client) (Organisation, error) {
	f := read(ctx, graph, organisationAddress, organisation)
	return f.Value, f.Err
}

const organisationAddress = "/v1.0/organization?$select=id,displayName,verifiedDomains"
