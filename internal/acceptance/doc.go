// Package acceptance holds the tests that look at Glassward from the outside:
// the queries that people publish for break-glass accounts, run over one set of
// records with rows worked out by hand; input that is broken in every way that
// logs, rules and queries break; the command line as scripts; and the daemon,
// pushed to, killed and reloaded. There is no code in it that anything imports.
package acceptance
