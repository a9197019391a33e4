package kusto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"glassward/kql/value"
)

// A Request is a query or a command with what the caller wants to have heeded.
type Request struct {
	// Database is the name of the database, empty where none is named.
	Database string
	// Text is the query or command.
	Text    string
	Options Options
	// Parameters are the values of declared query parameters, as literals of KQL.
	Parameters map[string]string
	// ClientRequestID is that of the properties; a header goes before it.
	ClientRequestID string
}

// IsCommand says whether a text is a command: it begins with a dot, which no query does.
func IsCommand(text string) bool { return strings.HasPrefix(strings.TrimSpace(text), ".") }

// Placement says where an answer that is not whole says so.
type Placement uint8

// The placements: among the rows, at the end of the table, at the end of the answer.
const (
	InData Placement = iota
	EndOfTable
	EndOfDataSet
)

func (p Placement) String() string { return [...]string{"InData", "EndOfTable", "EndOfDataSet"}[p] }

// Options are those of the request's properties that change an answer. Others are let through: what they
// ask of a cluster has no meaning here.
type Options struct {
	// Timeout is how long the query may take, 0 for as long as the server lets it.
	Timeout time.Duration
	// TakeRecords cuts each table after so many rows, and that is no error. 0 is none.
	TakeRecords int64
	// MaxRecords and MaxBytes bound a result; more is an error beside the rows. 0 is none.
	MaxRecords, MaxBytes int64
	// Errors says where an answer that is not whole says so.
	Errors Placement
	// Fragments asks for primary tables in pieces, Newlines for a line for each frame.
	Fragments, Newlines bool
}

// ReadRequest reads the body of a request: {"db", "csl", "properties"}, where properties is an object or
// its text. The error says what is wrong in words for the caller.
func ReadRequest(body io.Reader) (Request, error) {
	var in struct {
		DB         *string         `json:"db"`
		CSL        *string         `json:"csl"`
		Properties json.RawMessage `json:"properties"`
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return Request{}, err
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return Request{}, fmt.Errorf(`the body is not JSON of the form {"db": "…", "csl": "…"}: %w`, err)
	}
	if in.CSL == nil || strings.TrimSpace(*in.CSL) == "" {
		return Request{}, errors.New("the body has no query: give it as csl")
	}
	r := Request{Text: *in.CSL}
	if in.DB != nil {
		r.Database = *in.DB
	}
	return r, r.readProperties(in.Properties)
}

// RequestOf reads a request from the query of an address: db, csl and properties.
func RequestOf(v url.Values) (Request, error) {
	r := Request{Database: v.Get("db"), Text: v.Get("csl")}
	if strings.TrimSpace(r.Text) == "" {
		return r, errors.New("the address has no query: give it as csl")
	}
	return r, r.readProperties(json.RawMessage(v.Get("properties")))
}

// readProperties reads the properties of a request: an object, or a text that holds one.
func (r *Request) readProperties(text json.RawMessage) error {
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '"' {
		var inner string
		if err := json.Unmarshal(text, &inner); err != nil {
			return fmt.Errorf("the properties cannot be read: %w", err)
		}
		text = bytes.TrimSpace([]byte(inner))
	}
	if len(text) == 0 {
		return nil
	}
	var in struct {
		Options         map[string]json.RawMessage
		Parameters      map[string]json.RawMessage
		ClientRequestID string `json:"ClientRequestId"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return fmt.Errorf("the properties cannot be read: %w", err)
	}
	r.ClientRequestID = in.ClientRequestID
	for name, v := range in.Options {
		if err := r.Options.set(strings.ToLower(name), v); err != nil {
			return fmt.Errorf("the option %s %w", name, err)
		}
	}
	for name, v := range in.Parameters {
		if r.Parameters == nil {
			r.Parameters = map[string]string{}
		}
		r.Parameters[name] = textOf(v)
	}
	return nil
}

// set heeds one option by its name in lower case.
func (o *Options) set(name string, v json.RawMessage) error {
	text := strings.TrimSpace(textOf(v))
	if text == "null" {
		return nil
	}
	switch name {
	case "servertimeout":
		span, ok := value.ParseTimeSpan(text)
		if !ok || span <= 0 {
			return fmt.Errorf("is %q, and is a timespan like 00:04:00", text)
		}
		o.Timeout = time.Duration(min(span, value.Span(24*time.Hour/100))) * 100
	case "query_take_max_records":
		return count(&o.TakeRecords, text)
	case "truncationmaxrecords":
		return count(&o.MaxRecords, text)
	case "truncationmaxsize":
		return count(&o.MaxBytes, text)
	case "results_error_reporting_placement":
		switch strings.ToLower(strings.ReplaceAll(text, "_", "")) {
		case "indata":
			o.Errors = InData
		case "endoftable":
			o.Errors = EndOfTable
		case "endofdataset":
			o.Errors = EndOfDataSet
		default:
			return fmt.Errorf("is %q, and is in_data, end_of_table or end_of_dataset", text)
		}
	case "results_v2_fragment_primary_tables":
		return truth(&o.Fragments, text)
	case "results_v2_newlines_between_frames":
		return truth(&o.Newlines, text)
	}
	return nil
}

// count reads a number of records or bytes; clients write it as a number or as its text.
func count(to *int64, text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("is %q, and is a whole number", text)
	}
	*to = n
	return nil
}

func truth(to *bool, text string) error {
	switch strings.ToLower(text) {
	case "true", "1":
		*to = true
	case "false", "0":
		*to = false
	default:
		return fmt.Errorf("is %q, and is true or false", text)
	}
	return nil
}

// textOf gives the text of a JSON string, and anything else as it stands.
func textOf(v json.RawMessage) string {
	var s string
	if len(v) > 0 && v[0] == '"' && json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}
