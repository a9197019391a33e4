// Package access answers whether an account would get in: Conditional Access as
// Entra evaluates it, together with what stands outside of it, the methods that the
// account has registered, the policies on methods and passkeys, mandatory MFA,
// security defaults, the domain, the state of the account.
//
// [Evaluator.Evaluate] judges one sign-in: which policies apply, by which clause, what
// they demand and whether the account can do it. [Reach] judges every sign-in of an
// emergency at once and gives a verdict with witnesses.
//
// Everything is three-valued: what the snapshot does not hold makes an answer
// unknown only where the answer depends on it, and the answer says what was missing.
//
// The semantics are those of Microsoft's documentation of Conditional Access and of
// the What If evaluation (conditionalAccessRoot: evaluate); decision 0051 says where
// the documentation is silent and what is assumed.
package access
