// Package graph reads a tenant's directory through Microsoft Graph into the folder
// of a snapshot, as package directory opens it.
//
// Each part is read by itself. What goes wrong with one, a missing permission, a
// missing licence, an answer that is none, pages that turn in circles, is written
// down as the reason why it is not whole, and the rest is read. Answers go to the
// disk page by page as they come; what is held in memory are ids. After each part
// the manifest is written, so that a run that was ended can be gone on with.
package graph
