// Package dcr holds what Azure's Logs Ingestion API is told by: tables that a
// workspace declares for itself, in the form of the Tables API, and data
// collection rules, in the form of the resource
// Microsoft.Insights/dataCollectionRules, as `az monitor` prints both. It turns
// the bodies that come under a rule into records: fields that a stream declares
// are coerced to its columns, a transform in KQL is run over them, and what it
// gives is fitted to the table.
//
// A transform is compiled by the same compiler as every query, and run by the same
// engine: see Transformer.
package dcr
