package ingest

import (
	"strconv"
	"strings"

	"glassward/schema"
)

// recognise says which shape and table the record on the tape has; table is nil
// with a reason if it has none, or one that nobody may write from outside.
func (e *engine) recognise() (shape Shape, table *schema.Table, reason string) {
	if name := e.knownText(0, wkType); name != "" {
		if t, ok := e.m.set.Lookup(name); ok && t.Internal {
			return UnknownShape, nil, "the table " + t.Name + " is written by Glassward alone and takes nothing in"
		}
	}
	shape = e.shape()
	if shape == Diagnostic {
		e.openProperties()
	}
	if e.table != nil {
		if shape == UnknownShape {
			shape = Columns
		}
		return shape, e.table, ""
	}
	switch shape {
	case Diagnostic:
		table, reason = e.diagnosticTable()
	case Activity:
		table = e.m.tables["azureactivity"]
	case Management:
		table = e.m.tables[e.managementTable()]
	case Graph:
		table = e.graphTable()
	case Columns:
		table = e.columnsTable()
	default:
		// What has no other shape may be a projection of a table's columns.
		if table = e.guess(); table != nil {
			shape = Columns
		}
	}
	if table == nil && reason == "" {
		reason = e.unknown()
	}
	return shape, table, reason
}

func (e *engine) shape() Shape {
	switch {
	case e.has(0, wkEventTimestamp, wkOperationName):
		return Activity
	case e.has(0, wkTimeGenerated):
		return Columns
	case e.has(0, wkType) && e.m.tables[strings.ToLower(e.knownText(0, wkType))] != nil:
		return Columns
	case e.has(0, wkCreationTime, wkOperation) && (e.has(0, wkRecordType) || e.has(0, wkWorkload) || e.has(0, wkOrganizationID)):
		return Management
	case e.has(0, wkCategory) && (e.props >= 0 || e.has(0, wkTime) || e.has(0, wkResourceID, wkOperationName)):
		return Diagnostic
	case e.has(0, wkSourceSystem, wkOperationName):
		return Columns
	case e.has(0, wkActivityDateTime) && (e.has(0, wkActivityDisplayName) || e.has(0, wkLoggedByService) || e.has(0, wkProvisioningSteps)):
		return Graph
	case e.has(0, wkCreatedDateTime) && (e.has(0, wkAppID) || e.has(0, wkUserPrincipalName)) && (e.has(0, wkStatus) || e.has(0, wkIPAddress)):
		return Graph
	case e.has(0, wkRiskEventType, wkDetectedDateTime), e.has(0, wkRiskLastUpdated, wkUserDisplayName):
		return Graph
	}
	return UnknownShape
}

func (e *engine) diagnosticTable() (*schema.Table, string) {
	category := e.knownText(0, wkCategory)
	table := e.m.categories[strings.ToLower(category)]
	if name, ok := strings.CutPrefix(strings.ToLower(category), "advancedhunting-"); ok {
		// Defender streams its tables under their own names.
		if table = e.m.tables[name]; table != nil {
			return table, ""
		}
	}
	if table != nil && table.Name != "AzureActivity" {
		return table, ""
	}
	// Some shippers put the category of the activity into the envelope, and some
	// of those are categories of the Azure activity log too.
	if e.has(1, wkInitiatedBy) || e.has(1, wkTargetResources) || e.has(1, wkLoggedByService) {
		return e.m.tables["auditlogs"], ""
	}
	if table == nil {
		return nil, "no table takes the category " + strconv.Quote(shorten(category, 60)) + "; name a table to read it as"
	}
	return table, ""
}

func (e *engine) graphTable() *schema.Table {
	switch {
	case e.has(0, wkProvisioningSteps):
		return e.m.tables["aadprovisioninglogs"]
	case e.has(0, wkRiskEventType, wkDetectedDateTime):
		return e.m.tables["aaduserriskevents"]
	case e.has(0, wkRiskLastUpdated) && !e.has(0, wkCreatedDateTime):
		return e.m.tables["aadriskyusers"]
	case e.has(0, wkActivityDateTime):
		return e.m.tables["auditlogs"]
	}
	if en := e.knownEntry(0, wkSignInEventTypes); en != nil && en.kind == kArray {
		switch {
		case strings.Contains(en.val, `"interactiveUser"`):
			return e.m.tables["signinlogs"]
		case strings.Contains(en.val, `"nonInteractiveUser"`):
			return e.m.tables["aadnoninteractiveusersigninlogs"]
		case strings.Contains(en.val, `"servicePrincipal"`):
			return e.m.tables["aadserviceprincipalsigninlogs"]
		case strings.Contains(en.val, `"managedIdentity"`):
			return e.m.tables["aadmanagedidentitysigninlogs"]
		}
	}
	if en := e.knownEntry(0, wkIsInteractive); en != nil && en.kind == kFalse {
		return e.m.tables["aadnoninteractiveusersigninlogs"]
	}
	return e.m.tables["signinlogs"]
}

func (e *engine) columnsTable() *schema.Table {
	if t := e.m.tables[strings.ToLower(e.knownText(0, wkType))]; t != nil {
		return t
	}
	if t := e.m.categories[strings.ToLower(e.knownText(0, wkCategory))]; t != nil && t.Name != "AzureActivity" {
		return t
	}
	return e.guess()
}

// guess finds the table that has most of the record's properties as columns, if
// that is at least half of them and three. Of a row the header counts, not the
// cells that hold something. The answer is remembered for the same properties in
// the same order.
func (e *engine) guess() *schema.Table {
	names := e.names[:0]
	for _, c := range e.header {
		names = append(names, c.name)
	}
	if e.header == nil {
		for i := range e.tape {
			if en := &e.tape[i]; en.level == 0 {
				names = append(names, en.key)
			}
		}
	}
	e.names = names
	h := uint64(14695981039346656037)
	for _, name := range names {
		for i := range len(name) {
			h = (h ^ uint64(name[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	if t, ok := e.guesses[h]; ok {
		return t
	}
	var best *schema.Table
	bestCount := 0
	for _, t := range e.m.incoming {
		n := 0
		for _, name := range names {
			if _, ok := t.Index(name); ok {
				n++
			}
		}
		if n > bestCount {
			best, bestCount = t, n
		}
	}
	if bestCount < 3 || bestCount*2 < len(names) {
		best = nil
	}
	if len(e.guesses) < 1024 {
		e.guesses[h] = best
	}
	return best
}

// unknown says what a record that has no shape looks like.
func (e *engine) unknown() string {
	var b strings.Builder
	b.WriteString("not a record of a known shape; its properties are")
	n := 0
	for i := range e.tape {
		if en := &e.tape[i]; en.level == 0 {
			if n++; n > 8 {
				b.WriteString(", …")
				break
			}
			if n > 1 {
				b.WriteByte(',')
			}
			b.WriteByte(' ')
			b.WriteString(strconv.Quote(shorten(en.key, 40)))
		}
	}
	if n == 0 {
		return "an object without properties"
	}
	b.WriteString("; name a table to read it as that table's columns")
	return b.String()
}

// shorten cuts a text to at most n bytes for a message.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
