package store

import (
	"fmt"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// BenchmarkRecordUses writes portions of 200 uses, as the check does: of tokens that were used today from there, and of
// tokens for the first time. Microseconds are of one use.
func BenchmarkRecordUses(b *testing.B) {
	const many = 200
	for _, e := range engines {
		s := open(b, e.empty(b))
		portion := func() (uses []Use) {
			for i := range many {
				uses = append(uses, Use{Token: tokenID(), IP: fmt.Sprintf("192.0.2.%d", i), At: epoch, Count: 1})
			}
			return uses
		}
		old := make([][]Use, 20)
		for i := range old {
			old[i] = portion()
		}
		for _, c := range []struct {
			name string
			uses func(n int) []Use
		}{{"first", func(int) []Use { return portion() }}, {"again", func(n int) []Use { return old[n%len(old)] }}} {
			b.Run(e.name+"/"+c.name, func(b *testing.B) {
				for n := range b.N {
					uses := c.uses(n)
					for i := range uses {
						uses[i].At += counterfoil.Instant(n)
					}
					if err := s.RecordUses(b.Context(), uses); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*many), "µs/use")
			})
		}
	}
}
