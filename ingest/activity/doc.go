// Package activity reads the Office 365 Management Activity API: the road of
// tenants without Entra ID P1. Its unit is the content blob, which becomes
// available an hour or days after the events in it, in no order, more than once.
//
// So there is no watermark. Each minute the last two hours of availability are
// listed, each hour the last day, each day the seven days that the service keeps,
// and every blob that is not yet done is read; what is done is known by its
// contentId for ten days. Ids of records make the rest idempotent.
//
// What is read needs a subscription for each content type. One that is missing is
// started, at most every quarter of an hour; one that an administrator disabled is
// told of first and started only after that. Whatever the service can give no
// more is told as an [ingest.Hole]: the time between stop and start of a
// subscription, blobs that expired, an outage of ours of more than seven days. An
// empty list is no sign of health: it looks the same when auditing was switched
// off.
//
// The service is described in Microsoft's "Office 365 Management Activity API
// reference" and "schema".
package activity
