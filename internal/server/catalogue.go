package server

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// catalogueChanged writes one line into the log when another catalogue takes the place of the one in force, whichever node it was
// applied at: how many permissions and roles were added, removed and changed, and the first of them.
func (c *Core) catalogueChanged(before, after *counterfoil.Catalogue) {
	old, now := rowsOf(before), rowsOf(after)
	var said []any
	say := func(word string, these func(name string) bool) {
		names := slices.Sorted(maps.Keys(now))
		if word == "removed" {
			names = slices.Sorted(maps.Keys(old))
		}
		names = slices.DeleteFunc(names, func(name string) bool { return !these(name) })
		if n := len(names); n > 0 {
			said = append(said, word, fmt.Sprintf("%d: %s", n, firstOf(names)))
		}
	}
	say("added", func(name string) bool { return old[name] == nil })
	say("removed", func(name string) bool { return now[name] == nil })
	say("changed", func(name string) bool { return old[name] != nil && !reflect.DeepEqual(old[name], now[name]) })
	c.Config.Logger.Info("another catalogue is in force", said...)
}

// rowsOf are the permissions of a catalogue by name, and its roles by "role " and theirs.
func rowsOf(c *counterfoil.Catalogue) map[string]any {
	rows := map[string]any{}
	for _, p := range c.Permissions() {
		rows[p.Name] = p
	}
	for _, r := range c.Roles() {
		rows["role "+r.Name] = r
	}
	return rows
}

// firstOf is the first five of names.
func firstOf(names []string) string {
	const few = 5
	if len(names) > few {
		names = append(names[:few:few], "…")
	}
	return strings.Join(names, ", ")
}
