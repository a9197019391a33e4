package notify

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Finding is advice about a configuration that works.
type Finding struct {
	// Code is stable: single-receiver, depends-on-tenant …
	Code string `json:"code"`
	// Place is as in Validate's errors, "actionGroups[0] oncall: …".
	Place string `json:"place"`
	// Message says what is risky, Fix what to do.
	Message string `json:"message"`
	Fix     string `json:"fix"`
}

// The codes of findings.
const (
	SingleReceiver   = "single-receiver"
	DependsOnTenant  = "depends-on-tenant"
	OpportunisticTLS = "opportunistic-tls"
	UnsignedWebhook  = "unsigned-webhook"
	RetiredEndpoint  = "retired-endpoint"
	DisabledInAzure  = "disabled-in-azure"
	LongForAzure     = "long-for-azure"
	SameDestination  = "same-destination"
	OpenTopic        = "open-topic"
)

// Watched is the tenant that is being guarded, as far as receivers may depend
// on it.
type Watched struct {
	// Domains are the tenant's verified domains.
	Domains []string
	// LookupMX asks for a domain's mail exchangers, as net.Resolver.LookupMX
	// does; without it none is asked.
	LookupMX func(ctx context.Context, domain string) ([]*net.MX, error)
}

// Lint looks for alarms that would not arrive on the day when they are needed:
// groups with one receiver, groups all of whose receivers stand or fall with
// the tenant that is watched. Name servers are asked for at most 5 s in all.
func (c Config) Lint(ctx context.Context, w Watched) []Finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var out []Finding
	for i, s := range c.MailServers {
		if s.tls() == Opportunistic {
			out = append(out, Finding{
				OpportunisticTLS, fmt.Sprintf("mailServers[%d] %s", i, s.Name),
				"tls: opportunistic goes on in the clear when somebody on the way removes STARTTLS",
				"use tls: starttls",
			})
		}
	}
	mx := map[string]string{} // domain → why it depends, asked once
	for i, g := range c.ActionGroups {
		out = append(out, c.lintGroup(ctx, fmt.Sprintf("actionGroups[%d] %s", i, g.Name), g, w, mx)...)
	}
	return out
}

func (c Config) lintGroup(ctx context.Context, place string, g ActionGroup, w Watched, mx map[string]string) []Finding {
	var out []Finding
	add := func(code, where, message, fix string) { out = append(out, Finding{code, where, message, fix}) }
	if len(g.Receivers()) == 1 {
		add(SingleReceiver, place, "the group has a single receiver: when it is down, ill or on leave, nobody hears the alarm",
			"add a second one that shares neither person nor provider with the first")
	}
	var reasons []string
	seen := map[string]string{}
	same := func(where, name, to string) {
		to = strings.ToLower(to)
		if first, twice := seen[to]; twice {
			add(SameDestination, where, fmt.Sprintf("goes to the same place as %s", first), "remove one; two of the same are one when it fails")
			return
		}
		seen[to] = name
	}
	for i, r := range g.Email {
		where := fmt.Sprintf("%s: emailReceivers[%d] %s", place, i, r.Name)
		same(where, r.Name, r.EmailAddress)
		if strings.EqualFold(r.Status, "Disabled") {
			add(DisabledInAzure, where, "was disabled in Azure (somebody unsubscribed); Glassward sends to it all the same", "make sure that its reader expects the mails, and remove status")
		}
		if len(r.EmailAddress) > maxAzureEmail {
			add(LongForAzure, where, fmt.Sprintf("the address has %d characters; Azure allows %d, so the group cannot be exported", len(r.EmailAddress), maxAzureEmail), "use a shorter alias if you mean to export")
		}
		server, _ := c.server(r)
		if why := w.mail(ctx, r.EmailAddress, server, mx); why != "" {
			reasons = append(reasons, r.Name+": "+why)
		}
	}
	for _, r := range g.services() {
		where := fmt.Sprintf("%s: %s %s", place, r.field(), r.label())
		same(where, r.label(), r.destination())
		advice, why := r.lint(w)
		for _, f := range advice {
			add(f.Code, where, f.Message, f.Fix)
		}
		if why != "" {
			reasons = append(reasons, r.label()+": "+why)
		}
	}
	if n := len(g.Receivers()); n > 0 && len(reasons) == n {
		add(DependsOnTenant, place, "every receiver depends on the tenant that is watched, and goes down or is read with it ("+strings.Join(reasons, "; ")+")",
			"add a receiver elsewhere: a mailbox at another provider through another mail server, or a webhook outside Microsoft's cloud")
	}
	return out
}

// Dependent says why each of the groups' receivers stands or falls with the watched
// tenant, "oncall/card: Teams is …", in their order; nil if one of them does not, or
// if there is none. It asks no name server unless w can.
func (c Config) Dependent(ctx context.Context, groups []string, w Watched) []string {
	var reasons []string
	for _, name := range groups {
		g, _ := c.Group(name)
		for _, r := range g.Receivers() {
			full := fullName(g.Name, r)
			why := c.Depends(ctx, full, w)
			if why == "" {
				return nil
			}
			reasons = append(reasons, full+": "+why)
		}
	}
	return reasons
}

// retiredConnector is found fault with wherever its address stands.
var retiredConnector = Finding{
	Code: RetiredEndpoint, Message: "Office 365 connectors are retired; Microsoft no longer delivers what they get",
	Fix: "make a Workflows webhook in Teams and use its address under teamsReceivers",
}

// hostOf gives an address's host in lower case, empty where the address is a
// secret.
func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && !isReference(address) {
		return strings.ToLower(u.Hostname())
	}
	return ""
}

// mail says why a mail depends on the watched tenant, empty if it does not as
// far as can be seen.
func (w Watched) mail(ctx context.Context, address string, s MailServer, mx map[string]string) string {
	if within(s.Host, "smtp.office365.com", "outlook.office365.com", "mail.protection.outlook.com", "mx.microsoft", "smtp.azurecomm.net") {
		return "sent through " + s.Host
	}
	domain := strings.ToLower(domainOf(address))
	if within(domain, "onmicrosoft.com") {
		return domain + " is a mailbox in Exchange Online"
	}
	if slices.ContainsFunc(w.Domains, func(d string) bool { return strings.EqualFold(d, domain) }) {
		return domain + " is a domain of the tenant"
	}
	if w.LookupMX == nil {
		return ""
	}
	why, asked := mx[domain]
	if !asked {
		// A name server that does not answer is no finding; notify test shows it.
		hosts, _ := w.LookupMX(ctx, domain)
		for _, h := range hosts {
			if within(strings.TrimSuffix(h.Host, "."), "mail.protection.outlook.com", "mx.microsoft") {
				why = domain + " receives through Exchange Online"
			}
		}
		mx[domain] = why
	}
	return why
}

// webhook says why an endpoint depends on Microsoft's cloud, where it is
// reached and run with the tenant's identities.
func (w Watched) webhook(host string) string {
	for _, d := range w.Domains {
		if host != "" && within(host, d) {
			return host + " is in a domain of the tenant"
		}
	}
	if within(host, "logic.azure.com", "azurewebsites.net", "azure-api.net", "azure-automation.net", "webhook.office.com",
		"outlook.office.com", "api.powerplatform.com", "powerautomate.com", "servicebus.windows.net", "eventgrid.azure.net") {
		return host + " runs in Azure or Microsoft 365"
	}
	return ""
}

// within tells whether a host is one of the domains or below one.
func within(host string, domains ...string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(domains, func(d string) bool {
		d = strings.ToLower(d)
		return host == d || strings.HasSuffix(host, "."+d)
	})
}
