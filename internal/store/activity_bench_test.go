package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// benchmarkLog is how many events the organization has; 1,000,000 with COUNTERFOIL_BENCH_EVENTS=1000000.
func benchmarkLog() int {
	if n, err := strconv.Atoi(os.Getenv("COUNTERFOIL_BENCH_EVENTS")); err == nil {
		return n
	}
	return 50_000
}

// fill writes n events of an organization, a second apart for every ten, in batches of 1000 by several writers.
func fill(b *testing.B, s *fixture, org string, n int) {
	b.Helper()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range n / 4000 {
				s.later(100 * time.Second)
				s.write(b, org, func(tx *Tx) error { return appendLike(tx, 1000) })
			}
		})
	}
	group.Wait()
}

func appendLike(tx *Tx, n int) error {
	claims := make([]EventID, n)
	for i := range n {
		id := NewID("evt")
		claims[i] = EventID{ID: "their-" + id, Event: id}
		tx.AppendAs(id, counterfoil.Event{Type: fmt.Sprint("type", i%20), Action: "device_seen", User: counterfoil.EventUser{UUID: fmt.Sprint("user-", rand.IntN(500)), Email: "eve@example.com"},
			Actor: counterfoil.Actor{Kind: "product", ID: "tok_0123456789ab", IP: "192.0.2.1"}, Metadata: []byte(`{"ip_address":"192.0.2.1","platform":"agent/1.2"}`)})
	}
	_, err := tx.ClaimEventIDs(claims)
	return err
}

// BenchmarkActivity asks for pages of 100 anywhere in the log, and reports the slowest hundredth.
func BenchmarkActivity(b *testing.B) {
	for _, e := range engines {
		b.Run(e.name, func(b *testing.B) {
			s, org := open(b, e.empty(b)), NewID("org")
			n := benchmarkLog()
			fill(b, s, org, n)
			if err := s.CountBlocks(b.Context()); err != nil {
				b.Fatal(err)
			}
			for s.blocks.seen < int64(n/4000*4000) {
				if err := s.CountBlocks(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			last := counterfoil.Instant(s.clock.Load()) + 1
			span := int64(last - epoch)
			window := func(v Window) func(*Tx) error {
				return func(tx *Tx) error {
					_, _, err := tx.ReadWindow(v)
					return err
				}
			}
			find := func(f EventFilter) func(*Tx) error {
				return func(tx *Tx) error {
					_, err := tx.FindEvents(f)
					return err
				}
			}
			everyone := make([]string, 500)
			for i := range everyone {
				everyone[i] = fmt.Sprint("user-", i)
			}
			at := func() counterfoil.Instant { return epoch + counterfoil.Instant(rand.Int64N(span)) }
			for name, ask := range map[string]func() func(*Tx) error{
				"whole window": func() func(*Tx) error {
					return window(Window{From: epoch, Until: last, Offset: rand.Int64N(int64(n)), Limit: 100})
				},
				"some window": func() func(*Tx) error {
					from := at()
					return window(Window{From: from, Until: from + counterfoil.Instant(span/10), Offset: rand.Int64N(int64(n) / 10), Limit: 100})
				},
				"a user": func() func(*Tx) error {
					return window(Window{From: epoch, Until: last, Users: []string{"user-7"}, Offset: 100, Limit: 100})
				},
				"500 users": func() func(*Tx) error {
					return window(Window{From: epoch, Until: last, Users: everyone, Offset: rand.Int64N(int64(n)), Limit: 100})
				},
				"newest":        func() func(*Tx) error { return find(EventFilter{Newest: true, Limit: 100}) },
				"newest before": func() func(*Tx) error { return find(EventFilter{Newest: true, Until: at(), Limit: 100}) },
				"type, newest":  func() func(*Tx) error { return find(EventFilter{Type: "type7", Newest: true, Until: at(), Limit: 100}) },
				"rare type":     func() func(*Tx) error { return find(EventFilter{Type: "none", Newest: true, Limit: 100}) },
				"text": func() func(*Tx) error {
					return find(EventFilter{Match: func(string) bool { return false }, Newest: true, Limit: 100})
				},
				"after": func() func(*Tx) error { return find(EventFilter{After: rand.Int64N(int64(n)), Limit: 100}) },
			} {
				b.Run(name, func(b *testing.B) {
					var took []time.Duration
					for b.Loop() {
						fn, began := ask(), time.Now()
						if err := s.View(b.Context(), org, fn); err != nil {
							b.Fatal(err)
						}
						took = append(took, time.Since(began))
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
				})
			}
		})
	}
}

// BenchmarkWriteEvents writes batches of 1000 events with ids of their own, two writers at a time.
func BenchmarkWriteEvents(b *testing.B) {
	for _, e := range engines {
		b.Run(e.name, func(b *testing.B) {
			s, org := open(b, e.empty(b)), NewID("org")
			b.SetParallelism(1)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := s.Update(b.Context(), org, ForTokens, func(tx *Tx) error { return appendLike(tx, 1000) }); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "events/s")
		})
	}
}
