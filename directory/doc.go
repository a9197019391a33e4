// Package directory holds a tenant's directory as data: a [Snapshot], one
// immutable value with the accounts, groups, roles, policies and methods that
// decide who gets in and who can change that.
//
// A snapshot is a folder or a zip archive of JSON as Microsoft Graph and Azure
// Resource Manager return it, with a manifest that says how each part was got
// ([Manifest]); [Open] reads it. It is also made from plain exports of Conditional
// Access policies ([FromPolicies]).
//
// What was not read is not empty. Every part carries its [Reading]: read, read in
// part, or not, and then why and which permission was missing. A field that was
// not asked for is truth.Unknown or its zero value, as its sentence says; a value
// that this version does not know is kept as it stands; a property that it does
// not know is kept in Extra; and what has the wrong type is a [Problem] with its
// place, and nothing else is lost by it.
package directory
