// Package whatif asks Microsoft's own evaluation about sign-ins and holds its answers
// against ours.
//
// [Ask] writes a sign-in as Graph's What If evaluation takes it, with what the request has
// no words for; [Compare] says of each policy whether both come to the same. What is
// compared is the sign-in that stands in the request ([SignIn]), not the one that was
// meant: what was not asked is no difference.
//
// The evaluation is POST /v1.0/identity/conditionalAccess/evaluate (conditionalAccessRoot:
// evaluate), for which Policy.Read.ConditionalAccess or Policy.Read.All is enough.
package whatif
