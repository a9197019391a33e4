package incident

import (
	"fmt"
	"strings"

	"glassward"
)

// A Code names a health condition for ever: rules, rows and incidents go by it.
type Code string

// A Condition is one way in which Glassward itself can be unwell.
type Condition struct {
	Code Code
	// Severity is what it is raised with, unless whoever raises it knows that it is
	// less, as of a road whose records come by another, too.
	Severity glassward.Severity
	// Text says what it means, Cure what to do about it.
	Text string
	Cure string
	// Ends says that it is over by itself when its reason is gone, and Closes that
	// its incident is closed then. What does not end stays until a person has seen
	// it.
	Ends   bool
	Closes bool
}

// Conditions gives every condition that Glassward declares, in the order in which
// people should read them. Nothing else is ever raised.
func Conditions() []Condition {
	return []Condition{
		{"road", glassward.High, "A road by which records come is silent or cut. Of severity High where no other road shows the table: what happens there is not seen. Medium where another does.",
			"Look at what the alarm says of the road: credential, consent, licence, network. glassward tenant check asks the service. What comes late is judged when it comes.", true, true},
		{"late", glassward.Medium, "Records come by a road later than it is known for, so alarms are late by as much.",
			"Nothing is lost. If it lasts, look at the service's health page, and at how many records wait there.", true, true},
		{"empty", glassward.Medium, "A road was set up and has never brought a record of a table.",
			"Look whether the export or the permission covers the table; the first record may take two days.", true, true},
		{"degraded", glassward.Medium, "A road misses records that another road shows.",
			"Compare the two in the tenant: filters of the export, licence, permissions of the application.", true, true},
		{"hole", glassward.High, "Records of a time are lost for this road: the service does not keep them any more, or its position was lost.",
			"Fetch the time named by another road, or from an export by glassward ingest, and close the incident when that is done.", true, false},
		{"clock", glassward.High, "The host's clock stepped, or disagrees with the services'. Windows, lags and tokens go by it.",
			"Set the host's time service right (chronyc tracking, w32tm /query /status).", true, true},
		{"source", glassward.High, "A folder or another source of the tenant's file cannot be read.",
			"Look at the path, its mount and its permissions. It is read from where it stopped as soon as that works.", true, true},
		{"rule", glassward.High, "A rule cannot be judged, so its detection is blind.",
			"Mend the query or the table that the error names (glassward rule lint). The rule stays on, and makes up for what it did not judge.", true, false},
		{"rule-slow", glassward.Medium, "Judging a rule takes longer than its period, so its alarms come later and later.",
			"Make its query filter earlier, look back less far or run less often; glassward kql explain shows what it costs.", true, true},
		{"rule-file", glassward.High, "A rule file is broken, and its rule does not judge.",
			"Mend the file (glassward rule lint FILE) and reload.", false, false},
		{"function-file", glassward.High, "A file of stored functions is broken, and rules that use them do not judge.",
			"Mend the file (glassward rule lint) and reload.", false, false},
		{"tenant-file", glassward.High, "A tenant's file is broken, and the tenant is not watched or is watched as it was before.",
			"Mend the file and reload (glassward config validate shows every problem).", false, false},
		{"collection-file", glassward.High, "A file of a tenant's own tables or data collection rules is broken, or does not fit what is stored. The tenant is watched; its own tables and rules are as they were before, and after a start it has none.",
			"Mend the file and reload (glassward config validate shows every problem). What is pushed for those tables meanwhile is refused, and its pusher told so.", false, false},
		{"push-refused", glassward.Medium, "Records that were pushed by the Logs Ingestion API cannot be understood. The others of the same upload were taken, and the pusher was told that all is well, as Azure does.",
			"Read the reasons in the workspace's rejects.jsonl, and mend what sends the records. glassward ingest --retry tries them again.", false, false},
		{"contacts-dependent", glassward.High, "Every receiver of a watched tenant stands or falls with that tenant: whoever takes it over reads, deletes and answers its alarms.",
			"Add a receiver elsewhere: a telephone, a push service, a mailbox at another provider through another mail server. Or have the words written that accept it (glassward config validate shows them).", true, true},
		{"configuration", glassward.High, "The configuration was weakened: an account, a receiver, a road, a rule or a tenant was taken away or watches less.",
			"If nobody of yours did this, somebody has access to the machine that Glassward runs on.", false, false},
		{"receiver-failing", glassward.High, "A receiver takes no notices.",
			"glassward notify test GROUP tries every receiver of the group and prints what it answers. What is owed waits and is sent when it works.", true, false},
		{"receiver-weakened", glassward.High, "A receiver takes notices by its second way only.",
			"Look at the first: credit, key, address, what it reports of texts and calls that it took. glassward notify test GROUP tries both.", false, false},
		{"receiver-unproven", glassward.Medium, "Nobody has proven for 30 days that a receiver reaches a person.",
			"glassward notify prove GROUP sends a test with a code by each receiver of the group; who reads it types it back.", true, true},
		{"answers-unheard", glassward.Medium, "A service by which people answer cannot be asked for answers, while somebody is awaited.",
			"Look at what it answered: key, permission, network. Until it works, answer by another way: glassward incident acknowledge, or the incident's page.", true, true},
		{"notice-refused", glassward.High, "A receiver refused a notice for good, so that notice does not reach it.",
			"Look at what it answered, and tell its people by hand; glassward notify test GROUP shows whether it takes others.", false, false},
		{"notice-unrouted", glassward.High, "A notice is owed to an action group that does not exist or has nobody in it.",
			"Put the group back or give it a receiver, and reload. What waits goes out then.", false, false},
		{"codes-tried", glassward.High, "Answers with wrong codes came to what one receiver was sent: somebody who reads it tries to stop the calling.",
			"Ask whose receiver it is and who reads it; have it sent to another receiver if it is not the person alone. glassward incident acknowledge works meanwhile.", false, false},
		{"outbox-growing", glassward.High, "More notices are owed than are taken, for minutes on end.",
			"glassward status shows which receivers are behind; look at what raises the alarms, too: one rule that fires for every record is enough.", true, true},
		{"disk", glassward.High, "The disk is nearly full, and intake pauses. Nothing is dropped: pushes are answered 503, folders and roads wait.",
			"Free some space; intake resumes by itself.", true, false},
		{"store-damaged", glassward.High, "A store was damaged. What could be mended has been, and the damaged part lies aside.",
			"Look at the disk, and read what the alarm says is missing: ingest it again, or restore the data folder from a backup.", false, false},
		{"workspace", glassward.High, "A tenant's event store cannot be opened, and the tenant is not watched. The others are.",
			"It is tried again by itself. A damaged store is replaced by glassward restore --tenant.", true, false},
		{"journal", glassward.High, "The journal of evidence is not what it was: somebody or something changed it.",
			"Keep a copy of the data folder as it is, and compare with the heads in the notices of before.", false, false},
		{"conflict", glassward.Medium, "Two copies of one record contradict each other in who, what or outcome. Both are kept.",
			"Find out which road tells the truth: what was pushed can be forged by the holder of its token.", false, false},
		{"application", glassward.High, "Our own application in the tenant lacks a permission, holds too many, is disabled, or its credential ends. The severity is the finding's.",
			"Do what the alarm says, in the tenant's Entra admin centre.", true, true},
		{"application-changed", glassward.High, "Our own application in the tenant was changed. The severity is the change's.",
			"Find out who did it: who owns the application can blind Glassward.", false, false},
		{"directory", glassward.Medium, "What protects the emergency accounts cannot be looked at, in part or at all. Changes of it that no log tells are seen late: when it can be looked at again, all that is otherwise by then is told.",
			"Look at what it says: network, credential, the permission that it names (glassward permissions prints them).", true, true},
		{"directory-lost", glassward.High, "What protects the emergency accounts cannot be compared with the last look, which is gone or damaged. What was changed since then and stands in no log is not told.",
			"Run glassward assess, and compare with the last assessment that you have.", false, false},
		{"pulse", glassward.Medium, "The pulse cannot be sent, so a silent road is noticed later. High if a random password was accepted for the canary.",
			"Look at the canary's account and at the way to the sign-in service.", true, true},
		{"certificate", glassward.Medium, "The certificate of the API ends soon, or cannot be renewed or read. High when a week is left: then links in notices and clients of the API stop to work, and who pushes records is refused.",
			"Put a new one into its file: it is read within a minute. One that was made here renews itself: do what the alarm says stands in its way. glassward certificate show says until when it holds.", true, true},
		{"pusher-refused", glassward.High, "Records that are pushed with a token are refused for minutes on end, because it pushes more than its limits allow. What the sender does not send again is lost, and the rest comes late.",
			"If all of it is meant, give the token more (limits.tokens in glassward.yaml) and reload. If not, somebody has the token: glassward token revoke NAME, and make another.", true, true},
		{"heartbeat", glassward.High, "The dead man's ping cannot be sent, so whoever waits for it is about to raise an alarm of his own.",
			"Look at the address and the way to it. That Glassward itself works is what the ping would say.", true, true},
		{"defect", glassward.High, "A defect in Glassward interrupts a part of it, which is begun again by itself.",
			"Report it with the lines of the log around it.", false, false},
	}
}

// ConditionOf gives the condition of a code, false where none is declared.
func ConditionOf(code Code) (Condition, bool) {
	for _, c := range Conditions() {
		if c.Code == code {
			return c, true
		}
	}
	return Condition{}, false
}

// ConditionPage gives docs/health.md: the conditions as a table.
func ConditionPage() string {
	var b strings.Builder
	b.WriteString("# Health conditions\n\n" +
		"Every way in which Glassward itself can be unwell, by its code. Each is an alert of the rule\n" +
		"`glassward-health`, an incident, a notice, and a row of `GlasswardHealth` when it is raised and\n" +
		"when it is over. This page is made from the code (`make docs`).\n\n")
	b.WriteString("| code | severity | what it means | what to do | over by itself |\n|---|---|---|---|---|\n")
	for _, c := range Conditions() {
		over := "no: a person closes it"
		switch {
		case c.Closes:
			over = "yes, and closed"
		case c.Ends:
			over = "yes; a person closes it"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", c.Code, c.Severity, c.Text, c.Cure, over)
	}
	return b.String()
}
