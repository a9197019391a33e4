// Package entra speaks with Microsoft's services: tokens for an application of
// its own, and requests to Microsoft Graph, the Office 365 Management Activity
// API, Azure Resource Manager and Log Analytics. It knows nothing of records.
//
// One [Client] stands for one tenant at one service and is shared by all who ask
// there, because the service counts their requests together. Whatever goes wrong
// comes back as a [Fault]: what was being done, what the service said, and what a
// person has to do, if a person has to.
package entra
