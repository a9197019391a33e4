// Package notify tells people. It holds action groups with their receivers, it
// turns a notice with its incident and alerts into a mail or a call of another
// service, and its Courier takes what the outbox owes to every receiver until it has
// arrived.
//
// The flow is claim → route → render → deliver → settle (transaction C of the
// house). A notice and what owes it were committed together before; the courier
// only ever adds attempts. Three things hold throughout:
//
//   - Nothing is dropped. What fails for a while is tried again for ever; what a
//     receiver refuses for good becomes a Trouble, which the program turns into a
//     health notice to the other groups.
//   - No receiver waits for another. Each has its own queue; one that hangs holds
//     up itself.
//   - A repeat can be told. After a crash, or when an answer was lost on the way,
//     the same notice goes out again with the same key: the mail's Message-ID, the
//     webhook's webhook-id.
//
// Display names, user agents and attempted names are written by attackers. What
// comes from a record passes one encoder for each output: PlainText for text and
// terminals, html/template over Inert for HTML, headerText for mail headers,
// encodeJSON for JSON. Nothing from a record becomes a link or markup.
//
// Specifications: Azure Monitor action groups and the common alert schema for
// log alerts V2, Standard Webhooks 1.0, RFC 5321 and 5322 (mail), RFC 2047
// (headers), RFC 3834 (Auto-Submitted), RFC 9110 (HTTP).
package notify
