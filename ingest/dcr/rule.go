package dcr

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"glassward/schema"
)

// The beginnings of names of streams: Custom is for what a rule or a table
// declares, Microsoft for tables that are there anyway.
const (
	customPrefix    = "Custom-"
	microsoftPrefix = "Microsoft-"
)

// A Rule is a data collection rule: which streams may be pushed, and where what
// they bring goes.
type Rule struct {
	Name string
	// ImmutableID is by what clients name the rule: dcr- and 32 hex digits.
	ImmutableID string
	Description string
	// BuiltIn says that nobody declared the rule.
	BuiltIn bool
	flows   []*Flow
}

// A Flow takes what one stream brings to one table.
type Flow struct {
	// Stream is the name under which records are pushed, Output the stream that the
	// flow ends in.
	Stream, Output string
	// Table is where the records go.
	Table *schema.Table
	// Columns are those of the stream. A flow without columns takes records in any
	// form that Entra and Azure give them: they go to the table's own decoder.
	Columns []schema.Column
	// Transform is the text of the transform, empty if records stay as they are.
	Transform string

	program transform
	columns []schema.Column // what comes out of the transform
	fits    []int           // by column of Table, the place in columns, -1 for none
}

// AsTheyCome says whether the flow hands records to the decoder of its table in
// whatever form they have.
func (f *Flow) AsTheyCome() bool { return f.Columns == nil }

// Streams gives the names of the rule's streams, each once, in order.
func (r *Rule) Streams() []string {
	var out []string
	for _, f := range r.flows {
		if !slices.Contains(out, f.Stream) {
			out = append(out, f.Stream)
		}
	}
	return out
}

// Flows gives the flows of a stream, none where the rule has no such stream. The
// name's case does not matter, as in addresses of Azure.
func (r *Rule) Flows(stream string) []*Flow {
	var out []*Flow
	for _, f := range r.flows {
		if strings.EqualFold(f.Stream, stream) {
			out = append(out, f)
		}
	}
	return out
}

// derivedID makes an immutable id for a rule that has none of its own. It stays
// the same as long as tenant and name do.
func derivedID(tenant, name string) string {
	sum := sha256.Sum256([]byte("glassward data collection rule\x00" + strings.ToLower(tenant) + "\x00" + name))
	return "dcr-" + hex.EncodeToString(sum[:16])
}

// BuiltInID gives the immutable id of a tenant's built-in rule.
func BuiltInID(tenant string) string { return derivedID(tenant, "") }

// BuiltIn gives the rule that every workspace has: a stream Microsoft-<Table> for
// each table of Entra's, which takes records as Entra, Graph and Log Analytics
// give them, and Custom-<Table> for each table of the workspace's own, with its
// columns.
func BuiltIn(tenant string, tables *schema.Set) *Rule {
	r := &Rule{Name: "built-in", ImmutableID: BuiltInID(tenant), BuiltIn: true, Description: "What may be pushed without a rule of one's own."}
	for _, t := range tables.Tables() {
		switch {
		case t.Internal:
		case t.Custom:
			f := &Flow{Stream: customPrefix + t.Name, Output: customPrefix + t.Name, Table: t, Columns: t.Columns[1 : len(t.Columns)-1]}
			f.columns = f.Columns
			f.fit()
			r.flows = append(r.flows, f)
		default:
			r.flows = append(r.flows, &Flow{Stream: microsoftPrefix + t.Name, Output: microsoftPrefix + t.Name, Table: t})
		}
	}
	return r
}

var (
	immutableForm = regexp.MustCompile(`^dcr-[0-9a-f]{32}$`)
	streamForm    = regexp.MustCompile(`^(Custom|Microsoft)-[A-Za-z0-9_.-]{1,100}$`)
	columnForm    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// What stands in a rule's resource and means nothing here.
var (
	ruleEnvelope = []string{"id", "name", "type", "kind", "location", "tags", "etag", "systemData", "identity", "resourceGroup", "sku"}
	rulePassed   = []string{"endpoints", "metadata", "destinations", "provisioningState", "dataCollectionEndpointId", "agentSettings", "references", "ingestionQuotas"}
)

// ParseRule reads a data collection rule in the form of Azure's resource, or as
// `az monitor data-collection rule show` prints it, without "properties". tables
// are those of the workspace; tenant and name make the rule's immutable id where
// it states none. The rule is nil where a problem is no warning.
func ParseRule(text []byte, tenant, name string, tables *schema.Set) (*Rule, []Problem) {
	r := newReader(text)
	top := r.object()
	if top == nil {
		return nil, r.problems
	}
	p := r.properties(top, "a data collection rule", []string{"description", "immutableId", "streamDeclarations", "dataFlows", "dataSources"}, rulePassed, ruleEnvelope)
	if p == nil {
		return nil, r.problems
	}
	rule := &Rule{Name: name}
	if own, _ := r.string(top, "name"); own != "" {
		rule.Name = own
	}
	rule.Description, _ = r.string(p, "description")
	id, at := r.string(p, "immutableId")
	switch id = strings.ToLower(id); {
	case id == "":
		rule.ImmutableID = derivedID(tenant, rule.Name)
	case !immutableForm.MatchString(id):
		r.fail(at, "immutableId %q: it is dcr- and 32 hex digits; leave it out to have one made", id)
	default:
		rule.ImmutableID = id
	}
	if s := p.get("dataSources"); s != nil && len(s.members) > 0 {
		r.warn(s.at, "dataSources say what an agent of Azure collects: Glassward takes what is pushed and starts no agent")
	}
	declared := r.streams(p)
	flows := r.list(p, "dataFlows", '{', "object")
	if len(flows) == 0 {
		r.fail(p.at, "the rule has no dataFlows: nothing would go anywhere")
	}
	for _, f := range flows {
		rule.flows = append(rule.flows, r.flow(f, declared, tables)...)
	}
	if r.failed() {
		return nil, r.problems
	}
	return rule, r.problems
}

// streams reads what the streams declare.
func (r *reader) streams(p *node) map[string][]schema.Column {
	out := map[string][]schema.Column{}
	all := p.get("streamDeclarations")
	if all == nil {
		return out
	}
	if all.kind != '{' {
		r.fail(all.at, "streamDeclarations is no object")
		return out
	}
	for _, m := range all.members {
		if !streamForm.MatchString(m.name) || !strings.HasPrefix(m.name, customPrefix) {
			r.fail(m.at, "stream %q: the name of a declared stream begins with %s", m.name, customPrefix)
		}
		if m.value.kind != '{' {
			r.fail(m.value.at, "stream %s is no object with columns", m.name)
			continue
		}
		r.only(m.value, "a stream", []string{"columns"}, nil)
		seen := map[string]string{}
		columns := r.columns(m.value, []string{"name", "type"}, nil, func(name string) error {
			folded := strings.ToLower(name)
			other, twice := seen[folded]
			seen[folded] = name
			switch {
			case !columnForm.MatchString(name):
				return fmt.Errorf("column %q: a name has letters, digits and _", name)
			case ownName(folded):
				return fmt.Errorf("column %q: Glassward has a column of this name in every table", name)
			case twice && other == name:
				return fmt.Errorf("column %s is declared twice", name)
			case twice:
				return fmt.Errorf("columns %s and %s differ in case alone", other, name)
			}
			return nil
		}, false)
		switch {
		case len(columns) == 0:
			r.fail(m.value.at, "stream %s declares no columns", m.name)
		case len(columns) > schema.MaxColumns:
			r.fail(m.value.at, "stream %s has %d columns: at most %d are allowed", m.name, len(columns), schema.MaxColumns)
		}
		out[m.name] = columns
	}
	return out
}

// ownName says whether a name, in lower case, is that of a column that the store adds
// to every table.
func ownName(folded string) bool {
	return folded == "_seq" || slices.ContainsFunc(schema.OwnColumns(), func(c schema.Column) bool { return strings.ToLower(c.Name) == folded })
}

// flow reads one entry of dataFlows: a flow for each of its streams.
func (r *reader) flow(n *node, declared map[string][]schema.Column, tables *schema.Set) []*Flow {
	r.only(n, "a data flow", []string{"streams", "transformKql", "outputStream"}, []string{"destinations", "builtInTransform", "captureOverflow"})
	streams := r.list(n, "streams", '"', "string")
	if len(streams) == 0 {
		r.fail(n.at, "a data flow needs streams")
		return nil
	}
	text, textAt := r.string(n, "transformKql")
	if strings.TrimSpace(text) == sourceName {
		text = ""
	}
	output, outputAt := r.string(n, "outputStream")
	if text != "" && len(streams) > 1 {
		r.fail(textAt, "a transform takes one stream, and the data flow has %d", len(streams))
		return nil
	}
	var out []*Flow
	for _, s := range streams {
		f := &Flow{Stream: s.text, Output: output, Transform: text}
		at := outputAt
		if f.Output == "" {
			f.Output, at = f.Stream, s.at
		}
		if !r.output(f, at, tables) {
			continue
		}
		switch columns, ok := declared[f.Stream]; {
		case ok:
			f.Columns = columns
		case strings.HasPrefix(f.Stream, customPrefix):
			r.fail(s.at, "stream %s is not among the streamDeclarations", f.Stream)
			continue
		case f.Stream != f.Output:
			r.fail(s.at, "stream %s goes to its own table alone: declare a stream %sName with columns for another", f.Stream, customPrefix)
			continue
		case text != "":
			r.fail(textAt, "records of %s are taken as they come: a transform could take away what rules judge by. Declare a stream %sName with columns, and let it end in %s", f.Table.Name, customPrefix, f.Output)
			continue
		}
		if r.compile(f, textAt, outputAt) {
			out = append(out, f)
		}
	}
	return out
}

// output finds the table in which a flow ends.
func (r *reader) output(f *Flow, at int, tables *schema.Set) bool {
	name, own := strings.CutPrefix(f.Output, customPrefix)
	if !own {
		var ok bool
		if name, ok = strings.CutPrefix(f.Output, microsoftPrefix); !ok {
			r.fail(at, "outputStream %q: write %sMy_CL or %sTable", f.Output, customPrefix, microsoftPrefix)
			return false
		}
	}
	t, ok := tables.Lookup(name)
	switch {
	case ok && t.Internal:
		r.fail(at, "outputStream %s: Glassward alone writes the table %s", f.Output, name)
		return false
	case !ok || t.Custom != own:
		hint := ""
		if own {
			hint = ": declare it in a file of dataCollection.tables"
		}
		r.fail(at, "outputStream %s: there is no table %s%s", f.Output, name, hint)
		return false
	}
	f.Table = t
	return true
}

// compile makes the transform ready and fits what comes out to the table.
func (r *reader) compile(f *Flow, textAt, outputAt int) bool {
	if f.AsTheyCome() {
		return true
	}
	f.columns = f.Columns
	if f.Transform != "" {
		columns, problem := f.program.compile(f.Transform, f.Columns)
		if problem != "" {
			r.fail(textAt, "%s", problem)
			return false
		}
		f.columns = columns
	}
	if !f.Table.Custom {
		return true
	}
	at := textAt
	if f.Transform == "" {
		at = outputAt
	}
	ok := true
	for _, c := range f.columns {
		i, known := f.Table.Index(c.Name)
		switch {
		case !known || i == 0 || i == len(f.Table.Columns)-1:
			r.warn(at, "column %s is none of table %s and is dropped", c.Name, f.Table.Name)
		case !becomes(c.Type, f.Table.Columns[i].Type):
			r.fail(at, "column %s comes out as %s, and table %s has it as %s", c.Name, c.Type, f.Table.Name, f.Table.Columns[i].Type)
			ok = false
		}
	}
	if !slices.ContainsFunc(f.columns, func(c schema.Column) bool { return c.Name == "TimeGenerated" }) {
		r.fail(at, "what comes out has no column TimeGenerated, which table %s needs: add extend TimeGenerated = … to the transform", f.Table.Name)
		ok = false
	}
	f.fit()
	return ok
}
