// Package drift tells what became of a tenant's emergency access between two snapshots:
// which checks came to something worse or better, whether the accounts still get in, what
// differs of that which protects them, and who could have changed it.
//
// Who could is worked out from what the snapshots show: holders of roles whose permissions
// allow the change, through groups too, those who may activate them, applications with the
// permission, owners of groups. It is a list of suspects, not of culprits: the audit log
// tells who did it. What it takes to change what stands in powers.txt.
package drift
