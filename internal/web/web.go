// Package web is what the HTTP faces share: problems as bodies, strict JSON, where a credential and a client address are
// read from, limits, and the handler around every handler. It knows no operation and no rule, stores nothing and keeps no
// state of record.
//
// Everything here that runs before a token check is on its hot path: it allocates next to nothing.
package web
