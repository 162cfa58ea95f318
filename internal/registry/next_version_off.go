//go:build !next_version

package registry

// tokenKind is the kind of target of an entry about a token. The build that stands for the next version in the test of a
// rolling upgrade has one more.
func tokenKind(string) string { return "token" }
