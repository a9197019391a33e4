package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"glassward/kql/value"
)

// Bounds on one run of a machine: what one partition of the operator scan takes and gives.
const (
	maxMachineRows    = 5_000_000
	maxMachineText    = 1 << 29 // bytes of the rows that go in
	maxMachineMade    = 1 << 29 // bytes of the texts that steps assign, over all rows
	maxMachineParents = 1 << 21 // numbers of rows named as causes, over all rows that come out
	maxCauses         = 1001    // one more than is shown, as everywhere
)

// A Machine is the operator scan: steps that rows are held against, in the JSON that the compiler writes.
// Values stand in it as text, as a row's cells do.
type Machine struct {
	Cells    []string        `json:"cells"` // the types of a row's cells
	Out      []MachineColumn `json:"out"`   // the columns that the steps assign
	State    []MachineState  `json:"state"` // what is kept of a matched row
	Steps    []MachineStep   `json:"steps"`
	Lineage  bool            `json:"lineage,omitempty"`
	defs     []func(*frame) any
	kinds    []value.Type
	callable map[string]*Function
}

// MachineColumn is a column that steps assign, with its value where a step assigns none.
type MachineColumn struct {
	Type    string       `json:"type"`
	Default *MachineExpr `json:"default"`
}

// MachineState is a kept value: a cell of the row, or one of the assigned columns, and its value before
// anything has matched.
type MachineState struct {
	Cell  int          `json:"cell"` // -1 if it is an assigned column
	Out   int          `json:"out"`
	Empty *MachineExpr `json:"empty"`
}

// MachineStep is one step. Output is "all", "last" or "none". Reads are the steps whose state its
// expressions read.
type MachineStep struct {
	Optional bool                 `json:"optional,omitempty"`
	Output   string               `json:"output"`
	Cond     *MachineExpr         `json:"cond"`
	Set      map[int]*MachineExpr `json:"set,omitempty"`
	Reads    []int                `json:"reads,omitempty"`
	cond     func(*frame) any
	set      []func(*frame) any
}

// MachineExpr is an expression: the function F applied to A. Besides KQL's own F is "const" (the text V,
// null without), "cell" (cell I), "state" (kept value I of step S) and "path" (the steps of P).
type MachineExpr struct {
	F string         `json:"f"`
	T string         `json:"t"`
	A []*MachineExpr `json:"a,omitempty"`
	V *string        `json:"v,omitempty"`
	I int            `json:"i,omitempty"`
	S int            `json:"s,omitempty"`
	P []MachinePath  `json:"p,omitempty"`
}

// MachinePath is a step into a dynamic value: a property by Key, or the element At.
type MachinePath struct {
	Key *string `json:"key,omitempty"`
	At  int     `json:"at,omitempty"`
}

// record is a row that a step matched.
type record struct {
	row   int64
	kept  []any
	from  []*record // the records that it was made of, if lineage is asked for
	out   []any
	match int64
}

// frame is what an expression sees: the row, and of each step the record in the state.
type frame struct {
	row   []any
	state []*record
	empty []any
}

// machineFunction gives the function that runs machines; their expressions may call the functions of library.
func machineFunction(library []Function) Function {
	byName := sync.OnceValue(func() map[string]*Function { return index(library) })
	// Every partition runs the same program: the last one is kept read.
	type read struct {
		text string
		m    *Machine
	}
	var last atomic.Pointer[read]
	run := func(a []any, over func() bool) (any, error) {
		l := last.Load()
		if l == nil || l.text != str(a[0]) {
			m, err := readMachine(str(a[0]), byName())
			if err != nil {
				return nil, err
			}
			l = &read{str(a[0]), m}
			last.Store(l)
		}
		return l.m.run(str(a[1]), over)
	}
	call := func(a []any) (any, error) { return run(a, never) }
	return Function{Name: "kql_scan", Params: types(tStr, tStr), Result: tStr, Call: call, Until: run}
}

func index(functions []Function) map[string]*Function {
	m := make(map[string]*Function, len(functions))
	for i := range functions {
		m[functions[i].Name] = &functions[i]
	}
	return m
}

// ReadMachine reads a program and says what of it cannot be run.
func ReadMachine(text string) (*Machine, error) { return readMachine(text, index(Functions())) }

func readMachine(text string, callable map[string]*Function) (m *Machine, err error) {
	defer refuse(&err)
	m = &Machine{callable: callable}
	if err := json.Unmarshal([]byte(text), m); err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	return m, m.compile()
}

// refuse makes what a program that no compiler wrote runs into an error of the query.
func refuse(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("scan: the program cannot be run: %v", p)
	}
}

// compile makes the program ready to run.
func (m *Machine) compile() error {
	m.kinds = make([]value.Type, len(m.Cells))
	for i, c := range m.Cells {
		m.kinds[i], _ = value.ParseType(c)
	}
	for _, o := range m.Out {
		f, err := m.expr(o.Default)
		if err != nil {
			return err
		}
		m.defs = append(m.defs, f)
	}
	for i := range m.Steps {
		s := &m.Steps[i]
		var err error
		if s.cond, err = m.expr(s.Cond); err != nil {
			return err
		}
		s.set = make([]func(*frame) any, len(m.Out))
		for k, e := range s.Set {
			if k < 0 || k >= len(m.Out) {
				return errors.New("scan: a column that is not there")
			}
			if s.set[k], err = m.expr(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// Run holds rows against the steps: each row is tried with the last step first. Rows are the text of a JSON array
// of arrays: the number of the row, then its cells as texts or null. So are the rows that come out: the row's
// number, that of the match, the assigned columns, and, with lineage, an array of the numbers of all rows that
// it was made of.
func (m *Machine) Run(rows string) (any, error) { return m.run(rows, never) }

func never() bool { return false }

// run is Run that gives up once over says so.
func (m *Machine) run(rows string, over func() bool) (result any, err error) {
	defer refuse(&err)
	if len(rows) > maxMachineText {
		return nil, fmt.Errorf("scan: the rows are larger than %d MiB: filter before scan, or scan within partition by", maxMachineText>>20)
	}
	r := &runner{m: m, states: make([][]*record, len(m.Steps)), ids: make([]int64, len(m.Steps))}
	r.f.empty = make([]any, len(m.State))
	for i, s := range m.State {
		e, err := m.expr(s.Empty)
		if err != nil {
			return nil, err
		}
		r.f.empty[i] = e(&r.f)
	}
	r.out.WriteByte('[')
	in := cellReader{text: rows}
	cells := make([]any, len(m.Cells))
	for count := 0; ; count++ {
		number, ok, err := in.next(cells, m.kinds)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if count >= maxMachineRows {
			return nil, fmt.Errorf("scan: there are more than %d rows: filter before scan, or scan within partition by", maxMachineRows)
		}
		if over() {
			return nil, errOver
		}
		r.f.row = cells
		for k := len(m.Steps) - 1; k >= 0; k-- {
			r.try(k, number)
		}
		if r.made > maxMachineMade {
			return nil, fmt.Errorf("scan: the steps make more than %d MiB of text: assign less in each row", maxMachineMade>>20)
		}
		if r.out.Len() > MaxJSON {
			return nil, fmt.Errorf("scan: the result is larger than %d MiB: give fewer columns, or output=last", MaxJSON>>20)
		}
	}
	for k := range m.Steps {
		r.close(k)
	}
	r.out.WriteByte(']')
	return r.out.String(), nil
}

type runner struct {
	m       *Machine
	f       frame
	states  [][]*record // of each step the records of the steps up to it, nil if there is no sequence
	ids     []int64
	next    int64
	out     bytes.Buffer
	written bool
	parents int
	made    int // bytes
}

// try holds the current row against a step: first as what continues a sequence of an earlier step, then as what
// repeats the step itself or begins a sequence.
func (r *runner) try(k int, number int64) {
	s := &r.m.Steps[k]
	from, first := -1, true
	for j := k - 1; j >= 0; j-- {
		if r.states[j] != nil {
			from, first = j, false
			break
		}
		if !r.m.Steps[j].Optional {
			first = false
			break
		}
	}
	if from >= 0 {
		r.f.state = r.states[from]
		if s.cond(&r.f) == true {
			promoted := make([]*record, k+1)
			copy(promoted, r.states[from])
			rec := r.match(s, k, number, promoted, r.states[from][from])
			rec.match = r.ids[from]
			// What the step held, and the last of the step before, can no longer be repeated.
			r.close(k)
			r.close(from)
			promoted[k] = rec
			r.states[k], r.ids[k], r.states[from] = promoted, rec.match, nil
			r.emit(s, rec)
			return
		}
	}
	if r.states[k] == nil && !first {
		return
	}
	r.f.state = r.states[k]
	if s.cond(&r.f) != true {
		return
	}
	rec := r.match(s, k, number, r.states[k], nil)
	if r.states[k] == nil {
		r.ids[k] = r.next
		r.next++
		r.states[k] = make([]*record, k+1)
	}
	rec.match = r.ids[k]
	r.states[k][k] = rec
	r.emit(s, rec)
}

// match makes the record of a row that a step matched.
func (r *runner) match(s *MachineStep, k int, number int64, state []*record, parent *record) *record {
	r.f.state = state
	rec := &record{row: number, out: make([]any, len(r.m.Out)), kept: make([]any, len(r.m.State))}
	for i := range rec.out {
		if s.set[i] != nil {
			rec.out[i] = s.set[i](&r.f)
			r.made += len(str(rec.out[i]))
		} else {
			rec.out[i] = r.m.defs[i](&r.f)
		}
	}
	for i, c := range r.m.State {
		if c.Cell >= 0 {
			rec.kept[i] = r.f.row[c.Cell]
		} else {
			rec.kept[i] = rec.out[c.Out]
		}
	}
	if r.m.Lineage {
		if parent != nil {
			rec.from = append(rec.from, parent)
		}
		for _, j := range s.Reads {
			if j < len(state) && state[j] != nil && state[j] != parent {
				rec.from = append(rec.from, state[j])
			}
		}
	}
	return rec
}

// emit gives a record out at once if its step gives all.
func (r *runner) emit(s *MachineStep, rec *record) {
	if s.Output != "last" && s.Output != "none" {
		r.write(rec)
	}
}

// close gives out the last record of a step that gives only that.
func (r *runner) close(k int) {
	if r.m.Steps[k].Output == "last" && r.states[k] != nil {
		r.write(r.states[k][k])
	}
}

func (r *runner) write(rec *record) {
	b := &r.out
	if r.written {
		b.WriteByte(',')
	}
	r.written = true
	b.WriteByte('[')
	b.WriteString(strconv.FormatInt(rec.row, 10))
	b.WriteByte(',')
	b.WriteString(strconv.FormatInt(rec.match, 10))
	for i, v := range rec.out {
		b.WriteByte(',')
		writeCell(b, v, r.m.Out[i].Type)
	}
	if r.m.Lineage {
		b.WriteString(",[")
		for i, n := range r.causes(rec) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.FormatInt(n, 10))
		}
		b.WriteByte(']')
	}
	b.WriteByte(']')
}

// causes gives the rows that a record was made of, itself first, the nearest before the farther. Once a long run
// has named very many, only the nearest are named.
func (r *runner) causes(rec *record) []int64 {
	limit := maxCauses
	if r.parents > maxMachineParents {
		limit = 2
	}
	seen := map[*record]bool{rec: true}
	queue := []*record{rec}
	var out []int64
	for len(queue) > 0 && len(out) < limit {
		x := queue[0]
		queue = queue[1:]
		out = append(out, x.row)
		for _, p := range x.from {
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
	}
	r.parents += len(out)
	return out
}

func writeCell(b *bytes.Buffer, v any, kind string) {
	switch v := v.(type) {
	case nil:
		if kind == "string" {
			b.WriteString(`""`)
			return
		}
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.Quote(strconv.FormatBool(v)))
	case int64:
		b.WriteString(`"` + strconv.FormatInt(v, 10) + `"`)
	case float64:
		b.WriteString(`"` + strconv.FormatFloat(v, 'g', -1, 64) + `"`)
	case string:
		b.WriteString(value.JSON(v))
	default:
		b.WriteString("null")
	}
}

// cellReader reads the rows one by one.
type cellReader struct {
	text string
	at   int
}

var errRows = errors.New("scan: the rows cannot be read")

func (c *cellReader) skip(b byte) bool {
	for c.at < len(c.text) && (c.text[c.at] == ' ' || c.text[c.at] == '\n') {
		c.at++
	}
	if c.at < len(c.text) && c.text[c.at] == b {
		c.at++
		return true
	}
	return false
}

func (c *cellReader) next(cells []any, kinds []value.Type) (int64, bool, error) {
	if c.at == 0 && !c.skip('[') {
		return 0, false, errRows
	}
	if c.skip(']') {
		return 0, false, nil
	}
	c.skip(',')
	if !c.skip('[') {
		return 0, false, errRows
	}
	number := int64(0)
	for i := -1; i < len(cells); i++ {
		if i >= 0 && !c.skip(',') {
			return 0, false, errRows
		}
		s, ok, err := c.cell()
		if err != nil {
			return 0, false, err
		}
		if i < 0 {
			number, _ = strconv.ParseInt(s, 10, 64)
			continue
		}
		cells[i] = nil
		if ok {
			cells[i] = cellValue(s, kinds[i])
		} else if kinds[i] == tStr {
			cells[i] = ""
		}
	}
	if !c.skip(']') {
		return 0, false, errRows
	}
	return number, true, nil
}

// cell reads a text or null; false says null.
func (c *cellReader) cell() (string, bool, error) {
	c.skip(' ')
	if strings.HasPrefix(c.text[c.at:], "null") {
		c.at += 4
		return "", false, nil
	}
	if c.at >= len(c.text) {
		return "", false, errRows
	}
	if c.text[c.at] != '"' {
		start := c.at
		for c.at < len(c.text) && c.text[c.at] != ',' && c.text[c.at] != ']' {
			c.at++
		}
		return strings.TrimSpace(c.text[start:c.at]), true, nil
	}
	start, plain := c.at+1, true
	for i := start; i < len(c.text); i++ {
		switch c.text[i] {
		case '\\':
			plain = false
			i++
		case '"':
			c.at = i + 1
			if plain {
				return c.text[start:i], true, nil
			}
			var s string
			if json.Unmarshal([]byte(c.text[start-1:i+1]), &s) != nil {
				return "", false, errRows
			}
			return s, true, nil
		}
	}
	return "", false, errRows
}

// cellValue reads a value from the text that stands for it between the engine and a machine.
func cellValue(s string, t value.Type) any {
	switch t {
	case tBool:
		return s == "true"
	case tInt, tLong, tTime, tSpan:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil
		}
		return n
	case tReal:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !math.IsInf(f, 0) {
			return nil
		}
		return f
	}
	return s
}
