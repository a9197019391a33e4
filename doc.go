// Package glassward holds the nouns that cross packages: Record, Alert,
// Incident, Notice, Delivery, their ids, Severity and Secret. It imports the
// standard library only and decides nothing; every other package speaks to
// the next one in these words.
//
// The flow has three transactions. Sources hand records to the log store
// (A: rows and cursor together). Rules turn what is new into alerts, incidents
// take alerts in, and the control store keeps the outcome (B: watermark,
// alerts, incident change and the notices owed, together). The courier
// delivers notices and records every attempt (C).
package glassward
