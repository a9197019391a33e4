// Package azure reads what Azure Resource Manager shows of a tenant's monitoring into the
// folder of a snapshot: the diagnostic settings of Entra, and of each subscription that is
// shown workspaces with the tables of sign-ins and audits and the time of the newest record
// in each, Microsoft Sentinel's analytics and automation rules, data collection rules, alert
// rules, action groups, alert processing rules, locks and role assignments.
//
// It goes into the folder that package directory/graph has written, part by part in the
// same way: what is refused is written down with the role that it needs, and nothing else
// is lost by it. The diagnostic settings of Entra are shown to no application (the
// documentation of Terraform's azurerm_monitor_aad_diagnostic_setting says so), so that
// they are read as a person, where one has signed in, or not at all.
package azure
