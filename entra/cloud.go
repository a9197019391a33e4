package entra

import "strings"

// A Cloud says where Microsoft's services stand. The fields are https roots
// without a slash at the end, and the name below which Event Hubs namespaces
// live. A field that is empty means that the cloud has no such service. The
// known clouds come from [LookupCloud]; any field may be set otherwise, for a
// proxy or for a simulated tenant.
type Cloud struct {
	Name            string // as in configuration
	Authority       string // where tokens are had
	Graph           string // Microsoft Graph
	Activity        string // Office 365 Management Activity API
	ResourceManager string // Azure Resource Manager
	LogAnalytics    string // the query API of Log Analytics
	EventHubsSuffix string // "servicebus.windows.net"
}

// A Service is one of the services that a token is asked for.
type Service string

// The services.
const (
	Graph           Service = "Microsoft Graph"
	Activity        Service = "Office 365 Management Activity API"
	ResourceManager Service = "Azure Resource Manager"
	LogAnalytics    Service = "Log Analytics"
)

// CloudNames are the names that LookupCloud knows, the usual one first.
func CloudNames() []string { return []string{"public", "gcc", "usgov", "usgov-dod", "china"} }

// LookupCloud gives a known cloud by its name; the empty name is the public one.
// "gcc" is the public cloud with the Activity API of the American community
// cloud, "usgov" GCC High (L4), "usgov-dod" the Department of Defense (L5).
func LookupCloud(name string) (Cloud, bool) {
	public := Cloud{
		Name:            "public",
		Authority:       "https://login.microsoftonline.com",
		Graph:           "https://graph.microsoft.com",
		Activity:        "https://manage.office.com",
		ResourceManager: "https://management.azure.com",
		LogAnalytics:    "https://api.loganalytics.io",
		EventHubsSuffix: "servicebus.windows.net",
	}
	gov := Cloud{
		Name:            "usgov",
		Authority:       "https://login.microsoftonline.us",
		Graph:           "https://graph.microsoft.us",
		Activity:        "https://manage.office365.us",
		ResourceManager: "https://management.usgovcloudapi.net",
		LogAnalytics:    "https://api.loganalytics.us",
		EventHubsSuffix: "servicebus.usgovcloudapi.net",
	}
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "public":
		return public, true
	case "gcc":
		public.Name, public.Activity = "gcc", "https://manage-gcc.office.com"
		return public, true
	case "usgov":
		return gov, true
	case "usgov-dod":
		gov.Name = "usgov-dod"
		gov.Graph, gov.Activity = "https://dod-graph.microsoft.us", "https://manage.protection.apps.mil"
		return gov, true
	case "china":
		return Cloud{
			Name:            "china",
			Authority:       "https://login.chinacloudapi.cn",
			Graph:           "https://microsoftgraph.chinacloudapi.cn",
			ResourceManager: "https://management.chinacloudapi.cn",
			LogAnalytics:    "https://api.loganalytics.azure.cn",
			EventHubsSuffix: "servicebus.chinacloudapi.cn",
		}, true
	}
	return Cloud{}, false
}

// Root gives the root of a service, empty if the cloud has none.
func (c Cloud) Root(s Service) string {
	root := ""
	switch s {
	case Graph:
		root = c.Graph
	case Activity:
		root = c.Activity
	case ResourceManager:
		root = c.ResourceManager
	case LogAnalytics:
		root = c.LogAnalytics
	}
	return strings.TrimRight(root, "/")
}

// Scope gives what a token for a service is asked with, empty if the cloud has
// no such service.
func (c Cloud) Scope(s Service) string {
	if root := c.Root(s); root != "" {
		return root + "/.default"
	}
	return ""
}
