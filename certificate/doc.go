// Package certificate is what the API shows of itself over TLS: a certificate of the
// user's own, or one that an authority of this installation makes and makes again
// before it ends. A Keeper serves either, and takes over what changes without a restart.
//
// What is made lies in one folder, as two files that only their owner may read, each
// with a certificate and its key, so that each is replaced whole:
//
//	authority.pem  the authority, for ten years
//	server.pem     the server's certificate, for at most 397 days
//
// The authority may name this server and nothing else: its names stand in it as critical
// name constraints (RFC 5280, section 4.2.1.10), it may make no other authority (path
// length 0) and no certificate but a server's. Whoever steals its key can pass himself off
// as this server, and as no other.
package certificate
