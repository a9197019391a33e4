package loganalytics

import (
	"strings"

	"glassward/kql"
	"glassward/kql/value"
)

// Metadata is what a workspace's queries may name, as the path metadata tells it.
type Metadata struct {
	Tables     []MetadataTable     `json:"tables"`
	Functions  []MetadataFunction  `json:"functions"`
	Workspaces []MetadataWorkspace `json:"workspaces"`
}

// A MetadataTable is a stored table. Its id is its name.
type MetadataTable struct {
	ID             string           `json:"id"`
	Name           string           `json:"name"`
	Description    string           `json:"description,omitempty"`
	TimespanColumn string           `json:"timespanColumn"`
	Columns        []MetadataColumn `json:"columns"`
}

// A MetadataColumn is a column of a stored table.
type MetadataColumn struct {
	Name        string     `json:"name"`
	Type        ColumnType `json:"type"`
	Description string     `json:"description,omitempty"`
}

// A ColumnType is a type by KQL's name.
type ColumnType value.Type

// MarshalText gives the name.
func (t ColumnType) MarshalText() ([]byte, error) { return []byte(value.Type(t).String()), nil }

// A MetadataFunction is a stored function. Its id is its name.
type MetadataFunction struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Parameters  string `json:"parameters,omitempty"`
	DisplayName string `json:"displayName"`
	Description string `json:"description,omitempty"`
	Body        string `json:"body"`
}

// A MetadataWorkspace is the workspace itself.
type MetadataWorkspace struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	ResourceID string `json:"resourceId"`
	Region     string `json:"region"`
	Related    struct {
		Tables    []string `json:"tables"`
		Functions []string `json:"functions"`
	} `json:"related"`
}

// NewMetadata gives the metadata of a workspace with that id and name.
func NewMetadata(id, name string, tables []MetadataTable, functions []kql.StoredFunction) Metadata {
	m := Metadata{Tables: tables, Functions: []MetadataFunction{}}
	w := MetadataWorkspace{ID: id, Name: name, ResourceID: ResourceID(id, name), Region: "local"}
	w.Related.Tables, w.Related.Functions = []string{}, []string{}
	for i := range tables {
		t := &tables[i]
		t.ID, t.TimespanColumn = t.Name, "TimeGenerated"
		w.Related.Tables = append(w.Related.Tables, t.ID)
	}
	for _, f := range functions {
		parameters := make([]string, len(f.Parameters))
		for i, p := range f.Parameters {
			parameters[i] = p.String()
		}
		m.Functions = append(m.Functions, MetadataFunction{ID: f.Name, Name: f.Name, DisplayName: f.Name, Parameters: strings.Join(parameters, ", "), Body: f.Body, Description: f.Doc})
		w.Related.Functions = append(w.Related.Functions, f.Name)
	}
	m.Workspaces = []MetadataWorkspace{w}
	return m
}

// ResourceID is an id of the form that Azure gives workspaces. Only its last part says
// which workspace is meant; see WorkspaceName.
func ResourceID(id, name string) string {
	if name == "" {
		name = id
	}
	return "/subscriptions/" + id + "/resourceGroups/glassward/providers/Microsoft.OperationalInsights/workspaces/" + name
}
