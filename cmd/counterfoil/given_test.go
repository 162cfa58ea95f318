package main

import "testing"

func TestWithoutPassword(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://me:secret@db:5432/x?sslmode=verify-full": "postgres://me:xxxxx@db:5432/x?sslmode=verify-full",
		"postgresql://me@db/x":                               "postgresql://me@db/x",
		"postgres://db/x?user=me&password=secret":            "…",
		"postgres://me:sec ret@db/x":                         "…",
		"host=db user=me password=secret":                    "…",
		"":                                                   "…",
	} {
		if got := withoutPassword(text); got != want {
			t.Errorf("%q is written as %q, want %q", text, got, want)
		}
	}
}
