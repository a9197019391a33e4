// Package ingest turns what Entra, Azure and their exports write into records:
// decoders for every shape in which a record arrives, and the sources that read
// files, standard input and folders.
//
// A Decoder reads a stream of bytes, gzip or not, and gives batches of records.
// Shape and table are recognised for each record by itself, from its content. A
// record that cannot be understood becomes a Reject with place and reason, and
// the rest goes on; a record of which one property cannot be understood is kept,
// with that property in Extra and a Warning.
//
// mapping.txt says which property goes to which column.
package ingest
