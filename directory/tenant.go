package directory

import (
	"strings"

	"glassward/directory/truth"
)

// A Domain is a domain of the tenant.
type Domain struct {
	Name               string // in lower case
	AuthenticationType string // Managed, Federated
	Initial, Default   truth.Value
	Verified           truth.Value
	PasswordDays       int // passwordValidityPeriodInDays, 0 if not told
	Extra              Extra
}

func decodeDomain(d *decoder, n node) *Domain {
	o := &Domain{}
	d.object(n, &o.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			o.Name = strings.ToLower(d.text(v))
		case "authenticationType":
			o.AuthenticationType = d.enum(v, "Managed", "Federated")
		case "isInitial":
			o.Initial = d.truth(v)
		case "isDefault":
			o.Default = d.truth(v)
		case "isVerified":
			o.Verified = d.truth(v)
		case "passwordValidityPeriodInDays":
			o.PasswordDays = d.number(v)
		default:
			return false
		}
		return true
	})
	return o
}

// A Licence is a product that the tenant has bought.
type Licence struct {
	SKU, Name string
	// Plans are the names of the service plans that work, as AAD_PREMIUM_P2.
	Plans []string
	// Status is Enabled, Warning, Suspended, LockedOut, Deleted or "" if it is not told.
	Status string
	Extra  Extra
}

func decodeLicence(d *decoder, n node) *Licence {
	l := &Licence{}
	d.object(n, &l.Extra, func(key string, v node) bool {
		switch key {
		case "skuId":
			l.SKU = d.id(v)
		case "skuPartNumber":
			l.Name = d.text(v)
		case "capabilityStatus":
			l.Status = d.enum(v, "Enabled", "Warning", "Suspended", "LockedOut", "Deleted")
		case "servicePlans":
			d.array(v, func(v node) {
				if s := v.get("provisioningStatus"); s == nil || d.text(s) == "Success" {
					l.Plans = append(l.Plans, d.text(v.get("servicePlanName")))
				}
			})
		default:
			return false
		}
		return true
	})
	return l
}
