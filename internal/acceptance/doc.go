// Package acceptance holds the HTTP API to its contract from outside: a whole server on each engine, asked over the wire,
// in tables whose rows carry the ids of the product's behaviours (P2, H5, C3 …). It refuses to look inside: what it cannot
// see over HTTP it does not test.
//
// TestSuite runs every test of the suite on SQLite and on PostgreSQL. TestMatrix asks every route in the name of every
// kind of caller and compares with testdata/matrix.txt, which people review; -update writes it anew.
package acceptance
