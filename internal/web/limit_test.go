package web_test

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/internal/web"
)

func TestLimiter(t *testing.T) {
	l := web.NewLimiter[string](time.Second, 3, 100)
	t0 := time.Now()
	steps := []struct {
		key   string
		at    time.Duration
		ok    bool
		after time.Duration
	}{
		{"a", 0, true, 0}, {"a", 0, true, 0}, {"a", 0, true, 0},
		{"a", 0, false, time.Second},
		{"a", 400 * time.Millisecond, false, 600 * time.Millisecond}, // a refusal costs nothing
		{"b", 400 * time.Millisecond, true, 0},
		{"a", time.Second, true, 0},
		{"a", time.Second, false, time.Second},
		{"a", time.Hour, true, 0}, {"a", time.Hour, true, 0}, {"a", time.Hour, true, 0}, // rest earns a burst, no more
		{"a", time.Hour, false, time.Second},
		{"b", -time.Hour, true, 0}, // a clock set back
	}
	for i, s := range steps {
		ok, after := l.Allow(s.key, t0.Add(s.at))
		if s.at < 0 {
			continue // only that it does not break
		}
		if ok != s.ok || after != s.after {
			t.Errorf("step %d: %s at %v: %v, %v; want %v, %v", i, s.key, s.at, ok, after, s.ok, s.after)
		}
	}
}

func TestLimiterWaitIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := web.NewLimiter[int](time.Minute/7, 2, 10)
		began, granted := time.Now(), 0
		for granted < 100 {
			ok, after := l.Allow(1, time.Now())
			if ok {
				granted++
				continue
			}
			time.Sleep(after)
			if ok, _ := l.Allow(1, time.Now()); !ok {
				t.Fatalf("refused after waiting for %v as told", after)
			}
			granted++
		}
		if took := time.Since(began); took != 98*(time.Minute/7) {
			t.Errorf("100 requests took %v", took)
		}
	})
}

// Keys that owe nothing make room before any that does.
func TestLimiterForgetsThePaidFirst(t *testing.T) {
	l := web.NewLimiter[int](time.Second, 1, 16*8) // 8 keys in a shard: each look for room sees all of them
	now := time.Now()
	for key := range 10_000 {
		l.Allow(key, now)
	}
	later := now.Add(time.Minute)
	l.Allow(-1, later)
	for key := range 200 {
		if l.Allow(key, later); l.Len() > 16*8 {
			t.Fatalf("%d keys", l.Len())
		}
		if key == 6 { // at most 7 others owe as much in its shard
			if ok, _ := l.Allow(-1, later); ok {
				t.Fatal("a key in debt was forgotten before paid ones")
			}
		}
	}
}

// A flood of new keys is bounded in memory and does not free the one that is held back.
func TestLimiterUnderAFlood(t *testing.T) {
	l := web.NewLimiter[netip.Addr](time.Second, 5, 1600)
	now := time.Now()
	held := netip.MustParseAddr("203.0.113.9")
	for range 5 {
		l.Allow(held, now)
	}
	addr := netip.MustParseAddr("2001:db8::1")
	for range 20_000 {
		if ok, _ := l.Allow(addr, now); !ok {
			t.Fatal("a new key was refused")
		}
		addr = addr.Next()
	}
	if ok, _ := l.Allow(held, now); ok {
		t.Error("the flood freed the key that was held back")
	}
	if n := l.Len(); n > 1600 {
		t.Errorf("%d keys are held, room is for 1600", n)
	}
}

func TestLimiterIsExactUnderConcurrency(t *testing.T) {
	l := web.NewLimiter[string](time.Hour, 50, 10)
	now := time.Now()
	var granted atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if ok, _ := l.Allow("k", now); ok {
					granted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if granted.Load() != 50 {
		t.Errorf("%d granted, want 50", granted.Load())
	}
}

func BenchmarkLimiter(b *testing.B) {
	l := web.NewLimiter[netip.Addr](time.Nanosecond, 5, 10_000)
	addr, now := netip.MustParseAddr("203.0.113.9"), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		l.Allow(addr, now)
	}
}
