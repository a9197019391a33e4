// Package report writes what an assessment found for those who read it: people
// ([Markdown], [HTML]), build pipelines ([JUnit]) and code scanning ([SARIF]). All of
// them tell one [Document], which is the report of package posture with the verdicts of
// package access beside it, and each writes as it goes: nothing is held twice.
//
// Names of objects are written by whoever may write a display name. Every form has its
// own encoder, and nothing that stands in the directory becomes markup, a link or a
// mention. The same document gives the same bytes: no form holds the time at which it
// was written.
//
// What the forms cannot say is mapped by decision (0064): JUnit knows no warning and
// SARIF no doubt, and an unknown result must never look like a pass.
package report
