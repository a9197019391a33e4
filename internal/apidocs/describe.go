package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"

	"glassward/console"
)

// object is a JSON object; encoding/json writes its keys in order of the alphabet, so that
// the same routes and types give the same bytes.
type object = map[string]any

// documented are the packages whose types the API encodes; their doc sentences are read.
var documented = []string{".", "console", "daemon", "incident", "notify", "state", "backup", "rule", "lag", "logstore", "certificate", "internal/apidocs"}

var inPath = regexp.MustCompile(`\{([a-zA-Z]+)(?:\.\.\.)?\}`)

// pathSays says what stands in the places of a path.
var pathSays = map[string]string{
	"workspace": "A tenant's id or name, or default where there is one alone",
	"number":    "The incident's number",
	"action":    "acknowledge, assign, comment, explain, task or close",
	"id":        "The expectation's id",
	"group":     "An action group's name",
	"name":      "The token's name",
	"letter":    "The link's own part",
	"provider":  "The kind of the provider",
	"what":      "What it calls about",
	"rule":      "The data collection rule's immutable id",
	"stream":    "The stream's name",
}

// describe gives the description. root is the repository's folder. The error names routes
// that have no entry in operations, and entries that have no route.
func describe(root string) ([]byte, error) {
	types, err := newTypes(root)
	if err != nil {
		return nil, err
	}
	paths := object{}
	var wrong []error
	known := map[string]bool{}
	for _, r := range console.Routes() {
		if r.Method == "" {
			continue // what no route answers
		}
		key := r.Method + " " + r.Path
		known[key] = true
		op, ok := operations[key]
		if !ok {
			wrong = append(wrong, fmt.Errorf("route %s is not described in internal/apidocs/operations.go", key))
			continue
		}
		path := inPath.ReplaceAllString(r.Path, "{$1}")
		item, _ := paths[path].(object)
		if item == nil {
			item = object{}
			paths[path] = item
		}
		item[strings.ToLower(r.Method)] = types.operation(r, op)
	}
	for key := range operations {
		if !known[key] {
			wrong = append(wrong, fmt.Errorf("internal/apidocs/operations.go describes %s, which is no route", key))
		}
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, errors.Join(wrong...)
	}
	types.schemas["Error"] = object{
		"description": "What every refusal says, in the form of the Log Analytics API; x-ms-error-code has the code, too.",
		"type":        "object", "required": []string{"error"},
		"properties": object{"error": object{
			"type": "object", "required": []string{"code", "message"},
			"properties": object{"code": object{"type": "string"}, "message": object{"type": "string"}, "correlationId": object{"type": "string"}, "innererror": object{"type": "object"}},
		}},
	}
	document := object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Glassward", "version": "1",
			"description": "Guards the emergency access accounts of Microsoft Entra tenants. Routes of the tag Azure speak Azure's own formats, which Microsoft describes. Unknown fields may come to any answer; a client passes over them.",
			"license":     object{"name": "Apache 2.0", "identifier": "Apache-2.0"},
		},
		"servers":  []object{{"url": "https://localhost:8470", "description": "where serve listens; glassward certificate export gives the authority to trust"}},
		"security": []object{{"token": []string{}}},
		"paths":    paths,
		"components": object{
			"schemas":         types.schemas,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "A token of glassward token create. Its scopes (ingest, query, acknowledge, operate) do not include each other; x-scope names the one that a route needs."}},
		},
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err = e.Encode(document)
	return b.Bytes(), err
}

// types collects the schemas of Go types.
type types struct {
	reflector *jsonschema.Reflector
	schemas   object
	of        map[string]reflect.Type // by the schema's name
}

func newTypes(root string) (*types, error) {
	t := &types{schemas: object{}, of: map[string]reflect.Type{}}
	t.reflector = &jsonschema.Reflector{Anonymous: true, AllowAdditionalProperties: true, Namer: t.name}
	for _, folder := range documented {
		comments := map[string]string{}
		one := &jsonschema.Reflector{CommentMap: comments}
		pkg := "glassward"
		if folder != "." {
			pkg += "/" + folder
		}
		if err := readComments(one, pkg, filepath.Join(root, folder)); err != nil {
			return nil, err
		}
		if t.reflector.CommentMap == nil {
			t.reflector.CommentMap = map[string]string{}
		}
		for key, text := range one.CommentMap {
			t.reflector.CommentMap[key] = text
		}
	}
	return t, nil
}

// name calls a type's schema by the type's name, in front of which its package stands where
// two have the same.
func (t *types) name(r reflect.Type) string {
	if r.Name() == "" {
		return ""
	}
	name := strings.ToUpper(r.Name()[:1]) + r.Name()[1:]
	if other, taken := t.of[name]; taken && other != r {
		pkg := r.PkgPath()
		pkg = pkg[strings.LastIndexByte(pkg, '/')+1:]
		name = strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
	t.of[name] = r
	return name
}

// schema gives the schema of a value's type, and keeps those that it refers to.
func (t *types) schema(v any) any {
	text, err := json.Marshal(t.reflector.Reflect(v))
	if err != nil {
		panic(err) // schemas of types always marshal
	}
	var s object
	text = bytes.ReplaceAll(text, []byte(`"#/$defs/`), []byte(`"#/components/schemas/`))
	if err := json.Unmarshal(text, &s); err != nil {
		panic(err)
	}
	delete(s, "$schema")
	if defs, ok := s["$defs"].(object); ok {
		for name, def := range defs {
			t.schemas[name] = orNull(def)
		}
		delete(s, "$defs")
	}
	return s
}

// orNull lets the lists and maps that are always there be null: that is how Go encodes an
// empty one.
func orNull(def any) any {
	o, _ := def.(object)
	properties, _ := o["properties"].(object)
	required, _ := o["required"].([]any)
	for _, name := range required {
		p, _ := properties[name.(string)].(object)
		if kind := p["type"]; kind == "array" || kind == "object" && p["additionalProperties"] != nil {
			p["type"] = []any{kind, "null"}
		}
	}
	return def
}

func content(kind string, schema any) object {
	return object{kind: object{"schema": schema}}
}

func (t *types) operation(r console.Route, op operation) object {
	o := object{"operationId": op.id, "tags": []string{op.tag}, "summary": op.summary, "x-scope": string(r.Scope)}
	says := []string{}
	if op.more != "" {
		says = append(says, op.more)
	}
	switch r.Scope {
	case console.Public, console.Link:
		o["security"] = []object{}
		if r.Scope == console.Link {
			says = append(says, "Opened by the link itself, without a token.")
		}
	case console.Owner:
		says = append(says, "For the owner of the data folder alone, by the control socket: no token opens it.")
	default:
		says = append(says, fmt.Sprintf("Needs the scope %s.", r.Scope))
	}
	o["description"] = strings.Join(says, " ")
	var parameters []object
	for _, m := range inPath.FindAllStringSubmatch(r.Path, -1) {
		parameters = append(parameters, object{"name": m[1], "in": "path", "required": true, "description": pathSays[m[1]], "schema": object{"type": "string"}})
	}
	for _, p := range op.query {
		name, required := strings.CutPrefix(p.name, "!")
		parameters = append(parameters, object{"name": name, "in": "query", "required": required, "description": p.says, "schema": object{"type": "string"}})
	}
	if parameters != nil {
		o["parameters"] = parameters
	}
	switch {
	case op.body != nil:
		o["requestBody"] = object{"required": true, "content": content("application/json", t.schema(op.body))}
	case op.bodyIs.kind != "":
		o["requestBody"] = object{"required": true, "content": content(op.bodyIs.kind, object{"description": op.bodyIs.says})}
	}
	answer := object{"description": "Done"}
	if op.answer != nil {
		answer["content"] = content("application/json", t.schema(op.answer))
	} else {
		answer["content"] = content(op.answerIs.kind, object{"description": op.answerIs.says})
	}
	// A route that answers without a body says so by 204, and by no 200.
	responses := object{"200": answer}
	if slices.Contains(op.codes, http.StatusNoContent) {
		responses = object{"204": object{"description": op.answerIs.says}}
	}
	for _, code := range append(slices.Clone(op.codes), codesOf(r)...) {
		if code < http.StatusBadRequest {
			continue
		}
		var form any = object{"$ref": "#/components/schemas/Error"}
		if op.refusal != nil {
			form = t.schema(op.refusal)
		}
		refusal := object{"description": http.StatusText(code), "content": content("application/json", form)}
		if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
			refusal["headers"] = object{"Retry-After": object{"description": "Seconds after which it may be tried again", "schema": object{"type": "integer"}}}
		}
		responses[strconv.Itoa(code)] = refusal
	}
	o["responses"] = responses
	if op.microsoft != "" {
		o["externalDocs"] = object{"url": op.microsoft, "description": "Microsoft's description of the format"}
	}
	return o
}

// codesOf gives the refusals that every route of a scope may answer with.
func codesOf(r console.Route) []int {
	codes := []int{http.StatusTooManyRequests}
	switch r.Scope {
	case console.Public:
		return codes
	case console.Link:
		return append(codes, http.StatusForbidden)
	}
	codes = append(codes, http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError)
	if inPath.MatchString(r.Path) {
		codes = append(codes, http.StatusNotFound)
	}
	if r.Method == http.MethodPost {
		codes = append(codes, http.StatusBadRequest)
	}
	return codes
}
