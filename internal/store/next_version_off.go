//go:build !next_version

package store

// nextVersion are the migrations of the build that stands for the next version in the test of a rolling upgrade.
var nextVersion []string
