//go:build !race

package store

import "testing"

// These do one thing after the other, and much of it: the race detector would find nothing in them that it does not find in the
// others, and they would take most of its time.

func TestLogIsFoundAsTheModelFindsIt(t *testing.T) {
	each(t, func(t *testing.T, config Config) { findEvents(t, open(t, config), 60) })
}

func TestTransactionIsBoundToItsOrganization(t *testing.T) {
	each(t, func(t *testing.T, config Config) { organizationBound(t, open(t, config)) })
}
