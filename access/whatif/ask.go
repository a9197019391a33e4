package whatif

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"glassward"
	"glassward/access"
	"glassward/access/filter"
	"glassward/directory"
	"glassward/directory/truth"
)

// A Question is a sign-in as Graph is asked about it.
type Question struct {
	// Body is the request, as JSON.
	Body []byte
	// Asked is the sign-in that the body says, with what Graph knows by itself.
	Asked access.SignIn
	// Unsaid are, in words, what of the sign-in the request cannot say or was not told.
	Unsaid []string
}

// request is the body of an evaluation.
type request struct {
	Identity   identity   `json:"signInIdentity"`
	Context    signIn     `json:"signInContext"`
	Conditions conditions `json:"signInConditions"`
	Applied    bool       `json:"appliedPoliciesOnly"`
}

type identity struct {
	Type             string `json:"@odata.type"`
	User             string `json:"userId,omitempty"`
	ExternalUserType string `json:"externalUserType,omitempty"`
	ServicePrincipal string `json:"servicePrincipalId,omitempty"`
}

type signIn struct {
	Type         string   `json:"@odata.type"`
	Applications []string `json:"includeApplications,omitempty"`
	Action       string   `json:"userAction,omitempty"`
	Context      string   `json:"authenticationContextValue,omitempty"`
}

type conditions struct {
	Platform             string                     `json:"devicePlatform,omitempty"`
	Client               string                     `json:"clientAppType,omitempty"`
	SignInRisk           string                     `json:"signInRiskLevel,omitempty"`
	UserRisk             string                     `json:"userRiskLevel,omitempty"`
	ServicePrincipalRisk string                     `json:"servicePrincipalRiskLevel,omitempty"`
	InsiderRisk          string                     `json:"insiderRiskLevel,omitempty"`
	Country              string                     `json:"country,omitempty"`
	Address              string                     `json:"ipAddress,omitempty"`
	Flow                 *flow                      `json:"authenticationFlow,omitempty"`
	Device               map[string]json.RawMessage `json:"deviceInfo,omitempty"`
}

type flow struct {
	Method string `json:"transferMethod"`
}

// The types that a request names.
const (
	userSignIn             = "#microsoft.graph.userSignIn"
	servicePrincipalSignIn = "#microsoft.graph.servicePrincipalSignIn"
	applicationContext     = "#microsoft.graph.applicationContext"
	userActionContext      = "#microsoft.graph.userActionContext"
	authContext            = "#microsoft.graph.authContext"
)

// actions are user actions as policies name them, and as requests do.
var actions = map[string]string{
	"urn:user:registersecurityinfo": "registerSecurityInformation",
	"urn:user:registerdevice":       "registerOrJoinDevices",
}

// deviceProperties are the properties of a device that a request may give, by the names
// that filters have for them.
var deviceProperties = func() map[string]string {
	m := map[string]string{"deviceownership": "ownership"}
	for _, name := range []string{"deviceId", "displayName", "enrollmentProfileName", "isCompliant", "manufacturer", "mdmAppId", "model", "operatingSystem", "operatingSystemVersion", "profileType", "trustType"} {
		m[strings.ToLower(name)] = name
	}
	for i := range 15 {
		name := fmt.Sprintf("extensionAttribute%d", i+1)
		m[strings.ToLower(name)] = name
	}
	return m
}()

// Ask writes the question about a sign-in. Who signs in is resolved by the snapshot. An
// error says what a question cannot be without: an object id, and what is signed in to.
//
// Whatever is told is sent: what is left out Graph fills with defaults of its own, which its
// pages tell differently.
func Ask(s *directory.Snapshot, in access.SignIn) (*Question, error) {
	q := &Question{}
	var r request
	unsaid := func(format string, args ...any) { q.Unsaid = append(q.Unsaid, fmt.Sprintf(format, args...)) }
	if in.ServicePrincipal != "" {
		if !glassward.IsGUID(in.ServicePrincipal) {
			return nil, fmt.Errorf("a question names an object id, and %s is none", in.ServicePrincipal)
		}
		r.Identity = identity{Type: servicePrincipalSignIn, ServicePrincipal: in.ServicePrincipal}
	} else {
		r.Identity = identity{Type: userSignIn, User: in.User}
		u := s.User(in.User)
		if u != nil {
			r.Identity.User = u.ID
			r.Identity.ExternalUserType = external(u)
		}
		if !glassward.IsGUID(r.Identity.User) {
			return nil, fmt.Errorf("a question names an object id, and the snapshot holds no account %s", in.User)
		}
		if r.Identity.ExternalUserType != "" {
			unsaid("the home tenant of a guest, which is not known")
		}
	}
	switch {
	case in.Context != "":
		r.Context = signIn{Type: authContext, Context: in.Context}
		if len(in.Resources) > 0 {
			unsaid("the resource beside the authentication context: a question is about one of them")
		}
	case in.UserAction != "":
		r.Context = signIn{Type: userActionContext, Action: actions[in.UserAction]}
		if r.Context.Action == "" {
			return nil, fmt.Errorf("a question cannot be about the user action %s", in.UserAction)
		}
		if len(in.Resources) > 0 {
			unsaid("the resource beside the user action: a question is about one of them")
		}
	case len(in.Resources) > 0:
		r.Context = signIn{Type: applicationContext, Applications: in.Resources}
	default:
		return nil, errors.New("a question names what is signed in to: a resource, a user action or an authentication context")
	}
	c := &r.Conditions
	c.SignInRisk, c.UserRisk, c.ServicePrincipalRisk, c.InsiderRisk = in.SignInRisk, in.UserRisk, in.ServicePrincipalRisk, in.InsiderRisk
	c.Client, c.Platform, c.Country = in.ClientApp, in.Platform, in.Country
	if in.Platform == "unknown" {
		c.Platform = ""
		unsaid("a platform that Entra does not recognise")
	}
	if in.Country == "unknown" {
		c.Country = ""
		unsaid("an address that belongs to no country")
	}
	if in.Address.IsValid() {
		c.Address = in.Address.String()
	}
	if in.Flow != "" {
		c.Flow = &flow{in.Flow}
	}
	c.Device = device(&in.Device, unsaid)
	if in.CompliantNetwork == truth.True {
		unsaid("that it comes through Global Secure Access")
	}
	var untold []string
	for _, x := range []struct {
		name string
		told bool
	}{
		{"the client", in.ClientApp != ""}, {"the platform", in.Platform != ""}, {"the address", in.Address.IsValid()}, {"the country", in.Country != ""},
		{"the sign-in risk", in.SignInRisk != ""}, {"the user risk", in.UserRisk != ""}, {"the insider risk", in.InsiderRisk != ""}, {"the flow", in.Flow != ""}, {"the device", c.Device != nil || in.Device.Registered.Known()},
	} {
		if !x.told && (in.ServicePrincipal == "" || x.name == "the address" || x.name == "the country") {
			untold = append(untold, x.name)
		}
	}
	if len(untold) > 0 {
		unsaid("%s: not told", strings.Join(untold, ", "))
	}
	var err error
	if q.Body, err = json.Marshal(r); err != nil {
		return nil, err
	}
	if q.Asked, err = SignIn(q.Body); err != nil {
		return nil, err
	}
	// What the older MFA settings trust Graph knows by itself.
	if in.MFATrusted.Known() {
		q.Asked.MFATrusted = in.MFATrusted
	}
	return q, nil
}

// external gives the kind of a guest as a request has it, or "".
func external(u *directory.User) string {
	switch from := strings.Contains(strings.ToUpper(u.UPN), "#EXT#"); {
	case strings.EqualFold(u.Type, "Guest") && from:
		return "b2bCollaborationGuest"
	case strings.EqualFold(u.Type, "Guest"):
		return "internalGuest"
	case strings.EqualFold(u.Type, "Member") && from:
		return "b2bCollaborationMember"
	}
	return ""
}

// device gives what a request says of a device, nil for nothing. One that Entra does not
// know is told as Graph takes one of which nothing is told: not compliant, and no more.
func device(d *access.Device, unsaid func(string, ...any)) map[string]json.RawMessage {
	if d.Registered == truth.False {
		return map[string]json.RawMessage{"isCompliant": json.RawMessage("false")}
	}
	m := map[string]json.RawMessage{}
	for name, v := range d.Properties {
		property, text := deviceProperties[name], v.One()
		b, err := json.Marshal(text)
		if property == "isCompliant" {
			b, err = json.Marshal(strings.EqualFold(text, "true"))
		}
		if property == "" || text == "" || err != nil {
			unsaid("the device's %s", name)
			continue
		}
		m[property] = b
	}
	if d.HybridJoined == truth.True {
		m["trustType"] = json.RawMessage(`"ServerAD"`)
	}
	if d.Compliant.Known() {
		m["isCompliant"], _ = json.Marshal(d.Compliant == truth.True) // a boolean always marshals
	}
	if d.Registered == truth.True && (len(m) == 0 || len(m) == 1 && string(m["isCompliant"]) == "false") {
		unsaid("that Entra knows the device, of which nothing more was told")
	}
	if len(m) == 0 {
		return nil
	}
	return m
}

// SignIn reads the body of a request. What stands in it that is not known is an error: an
// answer to a question that is not understood says nothing.
func SignIn(body []byte) (access.SignIn, error) {
	var r request
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return access.SignIn{}, fmt.Errorf("the request cannot be read: %w", err)
	}
	c := r.Conditions
	in := access.SignIn{
		User: strings.ToLower(r.Identity.User), ServicePrincipal: strings.ToLower(r.Identity.ServicePrincipal),
		ClientApp: c.Client, Platform: c.Platform, Country: c.Country,
		SignInRisk: c.SignInRisk, UserRisk: c.UserRisk, ServicePrincipalRisk: c.ServicePrincipalRisk, InsiderRisk: c.InsiderRisk,
		// The request has no word for it, so that it does not come through there.
		CompliantNetwork: truth.False,
	}
	switch {
	case r.Identity.Type == userSignIn && in.User != "" && in.ServicePrincipal == "":
	case r.Identity.Type == servicePrincipalSignIn && in.ServicePrincipal != "" && in.User == "":
	default:
		return in, fmt.Errorf("the request says %q of who signs in", r.Identity.Type)
	}
	switch r.Context.Type {
	case applicationContext:
		for _, a := range r.Context.Applications {
			in.Resources = append(in.Resources, strings.ToLower(a))
		}
	case userActionContext:
		for urn, name := range actions {
			if name == r.Context.Action {
				in.UserAction = urn
			}
		}
	case authContext:
		in.Context = r.Context.Context
	}
	if len(in.Resources) == 0 && in.UserAction == "" && in.Context == "" {
		return in, fmt.Errorf("the request says %q of what is signed in to", r.Context.Type)
	}
	// What is all of them is none of them told.
	if in.ClientApp == "all" {
		in.ClientApp = ""
	}
	if in.Platform == "all" {
		in.Platform = ""
	}
	if c.Address != "" {
		var err error
		if in.Address, err = netip.ParseAddr(c.Address); err != nil {
			return in, fmt.Errorf("the request has the address %q, which is none", c.Address)
		}
		if documentation(in.Address) {
			in.MFATrusted = truth.False
		}
	}
	if c.Flow != nil {
		in.Flow = c.Flow.Method
	}
	if len(c.Device) > 0 {
		var err error
		if in.Device, err = readDevice(c.Device); err != nil {
			return in, err
		}
	}
	return in, nil
}

// documentation says that an address belongs to nobody (RFC 5737, RFC 3849): nobody's
// settings trust it.
func documentation(a netip.Addr) bool {
	return slices.ContainsFunc([]string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"}, func(s string) bool {
		return netip.MustParsePrefix(s).Contains(a.Unmap())
	})
}

func readDevice(said map[string]json.RawMessage) (access.Device, error) {
	d := access.Device{Registered: truth.True}
	for name, v := range said {
		switch name {
		case "isCompliant":
			var b bool
			if err := json.Unmarshal(v, &b); err != nil {
				return d, fmt.Errorf("the request says %s of isCompliant", v)
			}
			d.Compliant = truth.Of(b)
			continue
		case "physicalIds", "systemLabels":
			return d, fmt.Errorf("the request tells %s of the device, which is not judged", name)
		}
		var text string
		if err := json.Unmarshal(v, &text); err != nil {
			return d, fmt.Errorf("the request says %s of the device's %s", v, name)
		}
		if name == "ownership" {
			name = "deviceOwnership"
		}
		if name = strings.ToLower(name); deviceProperties[name] == "" {
			return d, fmt.Errorf("the request tells %s of the device, which is not known", name)
		}
		if name == "trusttype" {
			d.HybridJoined = truth.Of(strings.EqualFold(text, "ServerAD"))
		}
		if d.Properties == nil {
			d.Properties = map[string]filter.Value{}
		}
		d.Properties[name] = filter.Text(text)
	}
	if d.Compliant == truth.False && len(said) == 1 {
		return access.Unregistered(), nil
	}
	return d, nil
}
