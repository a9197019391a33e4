// Package change tells what differs between two snapshots of one tenant's directory.
//
// [Compare] gives [Difference]s in a stable order: which object, which property by
// Graph's own name of it, what stood there before and what stands there after. Lists
// that are sets (members, excluded groups, models of keys) are compared as sets, one
// difference an element; the order of lists and OData's annotations are no difference.
//
// What was not read in either snapshot is no difference. It is told as [Unseen], by
// part, with the reason: a list that was refused does not say that its objects are
// gone, and one that was read for the first time not that they have come.
//
// No secret is carried. Where a property of such a name differs, the difference is
// told and the values are not.
package change
