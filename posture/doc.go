// Package posture judges how a tenant's emergency accounts are set up: checks over a
// directory snapshot, each of which gives a [Finding] with the objects and properties
// that were seen.
//
// The texts of the checks, their severities and the parts of the snapshot that each of
// them reads stand in checks.yaml; what must hold is written in Go, an area a file.
// [Assess] runs all of them by what the tenant declared ([Options]): the accounts, the
// design and the way by which policies name the accounts. No account is guessed.
//
// What was not read is never a pass. A check gets at the snapshot through a view that
// knows which parts the check states: if one of them was not read the finding is
// [Unknown], with the reason and the permission, before the check is asked; and a check
// that reads a part that it does not state is answered with Unknown too, and fails a
// test.
package posture
