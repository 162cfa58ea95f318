package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/counterfoil/counterfoil"
)

// printable makes text of unknown origin safe for a terminal: what could move the cursor, change colours, hide or
// reorder text becomes U+FFFD.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) && r != ' ' || unicode.In(r, unicode.Bidi_Control) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// problems turns a refusal into words: its detail, then each pointer on a line of its own.
func problems(err error) error {
	var refused *counterfoil.Error
	if !errors.As(err, &refused) {
		return err
	}
	lines := []string{refused.Detail}
	if len(refused.Problems) > 0 {
		lines = nil
	}
	for _, p := range refused.Problems {
		lines = append(lines, strings.TrimPrefix(p.Pointer+": "+p.Detail, ": "))
	}
	return fmt.Errorf("%s", printable(strings.Join(lines, "\n  ")))
}
