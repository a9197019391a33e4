package access

import (
	"net/netip"
	"strings"

	"glassward/access/filter"
	"glassward/directory/truth"
)

// A SignIn is one sign-in to judge. What is zero was not told, and is unknown to
// every condition that asks for it.
type SignIn struct {
	// User is the object id or user principal name of the account; or else
	// ServicePrincipal is the object id of one.
	User, ServicePrincipal string
	// Resources are the application ids of what is signed in to. One sign-in to a
	// portal touches several: a policy is about it if it is about one of them.
	Resources []string
	// UserAction is urn:user:registersecurityinfo or urn:user:registerdevice.
	UserAction string
	// Context is an authentication context that the resource asks for, as c1.
	Context string
	// ClientApp is browser, mobileAppsAndDesktopClients, exchangeActiveSync or other.
	ClientApp string
	// Platform is android, iOS, windows, windowsPhone, macOS, linux, or unknown for one
	// that Entra does not recognise.
	Platform string
	// Address is where Entra sees it come from. Country is that of the address by two
	// letters, or unknown if it belongs to none; the two are not tied to each other
	// here.
	Address netip.Addr
	Country string
	// MFATrusted says whether the address is among the trusted addresses of the older
	// MFA settings, which Graph does not show; CompliantNetwork whether it comes
	// through Global Secure Access.
	MFATrusted, CompliantNetwork truth.Value
	// The risks are none, low, medium or high; InsiderRisk is none, minor, moderate or
	// elevated.
	UserRisk, SignInRisk, ServicePrincipalRisk, InsiderRisk string
	// Flow is none, deviceCodeFlow or authenticationTransfer.
	Flow   string
	Device Device
}

// A Device is what is known of the device that signs in.
type Device struct {
	// Registered says whether Entra knows it: of one that it does not, every property
	// is null.
	Registered truth.Value
	// Compliant is as Intune says; HybridJoined whether it is joined to a domain and to Entra.
	Compliant, HybridJoined truth.Value
	// Properties are further ones by the name that filters use, in lower case and
	// without "device.".
	Properties map[string]filter.Value
}

// Unregistered is a device that Entra does not know: any, in a private window.
func Unregistered() Device {
	return Device{Registered: truth.False, Compliant: truth.False, HybridJoined: truth.False}
}

// property gives a property for filters.
func (d *Device) property(name string) filter.Value {
	name = strings.TrimPrefix(name, "device.")
	if d.Registered == truth.False {
		return filter.Null()
	}
	if v, ok := d.Properties[name]; ok {
		// Extension attributes are shown of managed devices only.
		if strings.HasPrefix(name, "extensionattribute") {
			switch d.Compliant.Or(d.HybridJoined) {
			case truth.False:
				return filter.Null()
			case truth.Unknown:
				return filter.Value{}
			}
		}
		return v
	}
	switch name {
	case "iscompliant":
		return filter.Bool(d.Compliant)
	case "trusttype":
		if d.HybridJoined == truth.True {
			return filter.Text("ServerAD")
		}
	}
	return filter.Value{}
}

// Application ids that more than one place names.
const (
	appAzurePortal = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c" // the Entra and Intune admin centers too
	appARM         = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
	appGraph       = "00000003-0000-0000-c000-000000000000"
	appAADGraph    = "00000002-0000-0000-c000-000000000000"
	appAzureCLI    = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
	appAzurePS     = "1950a258-227b-4e31-a9cf-717495945fc2"
	appM365Admin   = "00000006-0000-0ff1-ce00-000000000000"
	appExchange    = "00000002-0000-0ff1-ce00-000000000000"
	appSharePoint  = "00000003-0000-0ff1-ce00-000000000000"
	appTeams       = "cc15fd57-2c6c-4117-a88c-83b1d56b4bbe"
	appSkype       = "00000004-0000-0ff1-ce00-000000000000"
	appExchangeEAC = "497effe9-df71-4043-a8bb-14cf78c4b63b"
	appDefender    = "80ccca67-54bd-44ab-8625-4b79c4dc7775"
	appOfficeHome  = "4765445b-32c6-49b0-83e6-1d93765276ca"
)

// suite says whether an application belongs to one of the groups of applications
// that policies may name. Microsoft publishes lists of names; of an application that
// is in neither column here, it is unknown.
func suite(name, app string) truth.Value {
	switch name {
	case "Office365":
		switch app {
		case appExchange, appSharePoint, appTeams, appSkype, appOfficeHome:
			return truth.True
		case appAzurePortal, appARM, appGraph, appAADGraph, appAzureCLI, appAzurePS, appDefender, appM365Admin, appExchangeEAC:
			return truth.False
		}
	case "MicrosoftAdminPortals":
		switch app {
		case appAzurePortal, appM365Admin, appExchangeEAC, appDefender:
			return truth.True
		case appARM, appGraph, appAADGraph, appAzureCLI, appAzurePS, appExchange, appSharePoint, appTeams, appSkype:
			return truth.False
		}
	case "AllAgentIdResources":
		switch app {
		case appAzurePortal, appM365Admin, appExchangeEAC, appDefender, appARM, appGraph, appAADGraph, appAzureCLI, appAzurePS, appExchange, appSharePoint, appTeams, appSkype, appOfficeHome:
			return truth.False
		}
	}
	return truth.Unknown
}

// mandatoryMFA says whether Microsoft demands MFA of whoever signs in there, whatever
// the tenant's policies say.
func mandatoryMFA(app string) bool {
	switch app {
	case appAzurePortal, appM365Admin, appARM, appAzureCLI, appAzurePS:
		return true
	}
	return false
}
