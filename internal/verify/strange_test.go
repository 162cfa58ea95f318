package verify

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
)

// An entry of a kind that only a newer version knows has everything of its organization forgotten, and what is being read
// not remembered; the others keep what they have.
func TestStrangeEntriesForget(t *testing.T) {
	for name, tell := range map[string]func(*Verifier, counterfoil.Event){
		"own": func(v *Verifier, e counterfoil.Event) { v.Apply(&e) },
		"another's": func(v *Verifier, e counterfoil.Event) {
			_ = v.follow([]counterfoil.Event{{Target: counterfoil.Target{Kind: "session"}}, e, e})
		},
		"an instance": func(v *Verifier, e counterfoil.Event) { e.OrganizationID = ""; v.Apply(&e) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrowd(t, 20)
			mine := c.v.cache.get(c.ids[0]).home.org
			other := store.Token{ID: tokenID([12]byte([]byte("AAAAAAAAAAAA"))), Organization: "org_other", Owner: "mem_other", Kind: counterfoil.KindPersonal}
			c.v.remember(&other)
			theirs, owner := c.v.slots.org("org_other"), c.v.slots.owner("mem_other", "org_other")
			mineToo := c.v.slots.owner("mem_mine", mine.id)
			fill := func() {
				mine.fill(&rules.Compiled{}, mine.stamp())
				theirs.fill(&rules.Compiled{}, theirs.stamp())
				mineToo.fill(&owner0, mineToo.stamp())
				owner.fill(&owner0, owner.stamp())
			}
			fill()
			reading, stamp, stampToo := c.v.cache.generation(c.ids[1]), mine.stamp(), mineToo.stamp()
			tell(c.v, counterfoil.Event{OrganizationID: mine.id, Action: "plan_suspended", Target: counterfoil.Target{Kind: "plan", ID: "p"}})
			c.v.cache.put(c.ids[1], &entry{home: &mine.home}, reading)
			mine.fill(&rules.Compiled{}, stamp)
			mineToo.fill(&owner0, stampToo)
			for _, id := range c.ids {
				if c.v.cache.get(id) != nil {
					t.Fatal("a record is still there")
				}
			}
			if mine.value.Load() != nil || mineToo.value.Load() != nil {
				t.Error("rules or an owner are still there")
			}
			id, _ := bareID(other.ID)
			kept := c.v.cache.get(id) != nil && theirs.value.Load() != nil && owner.value.Load() != nil
			if want := name != "an instance"; kept != want {
				t.Errorf("what is another organization's is kept: %v", kept)
			}
		})
	}
}

var owner0 owner

// Every kind of target that the program writes is known: else each such entry would empty the caches of its organization.
func TestOwnEntriesAreKnown(t *testing.T) {
	v := newCrowd(t, 1).v
	kinds := map[string]bool{}
	target := regexp.MustCompile(`counterfoil\.Target\{Kind: "(\w+)"`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range target.FindAllSubmatch(text, -1) {
			kinds[string(m[1])] = true
		}
		return err
	})
	if err != nil || len(kinds) < 12 {
		t.Fatalf("found %v, %v", kinds, err)
	}
	for kind := range kinds {
		if !v.apply(&counterfoil.Event{OrganizationID: "org_1", Target: counterfoil.Target{Kind: kind}}) {
			t.Errorf("entries about a %s are not known", kind)
		}
	}
}
