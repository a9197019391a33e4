// Package workspace reads the tables of a Log Analytics workspace by its query
// API: the road of who has one.
//
// Each table is a stream. It is asked for windows of ingestion time, which the
// workspace sets when a record becomes readable, so that a late event is found by
// when it came. The windows end in the past, by the service's clock, and overlap;
// what is read twice is known by the ids of the records.
//
// An answer that holds an error beside its rows is never "no more rows": its
// window stays open and is halved, as it is when an answer reaches one of the
// service's limits. A table that the workspace does not have is looked for again
// each hour; that is told once, and is no fault of the road.
package workspace
