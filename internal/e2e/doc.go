// Package e2e holds the tests that run the built program among real parts: nginx before an API, SQLite and PostgreSQL
// behind, a disk that fills up, a database that goes away, SIGKILL at any moment. It has no code but tests, and it
// refuses to look inside: what it knows of a running service, it asked over HTTP or read from its files.
package e2e
