// Package graph reads sign-ins, directory audits, provisioning and risk from
// Microsoft Graph.
//
// Graph gives neither order nor completeness nor a limit of lateness: a record
// appears minutes to days after its event, and a list that is moving loses rows
// between its pages. So nothing here trusts the largest time that was seen. Each
// stream keeps which spans of time are still owed, and a span is struck off only
// when it has been read to the last page of a window that was closed, by the
// service's clock, before it was asked for. A window is read again by every poll
// (the last 15 minutes), hourly (3 hours) and daily (36 hours), each counted from
// where the look before it began, so that no record that is late by less than 36
// hours falls between two looks. What is owed stands in the cursor, and the
// cursor becomes durable with the rows of the window that it closes. Links to
// next pages are never kept.
//
// Beside the full streams the declared accounts are asked for alone, every 30
// seconds and before everything else.
package graph
