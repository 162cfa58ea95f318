// Package console holds tests alone: people at the console, in a real browser that talks to a real server. It is a module
// of its own because of what drives the browser.
package console
