package web

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	r := &Rate{PerMinute: 3}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		after time.Duration
		key   string
		wait  time.Duration
		ok    bool
		left  string
	}{
		{0, "a", 0, true, `"token";r=2;t=20`},
		{0, "a", 0, true, `"token";r=1;t=40`},
		{0, "a", 0, true, `"token";r=0;t=60`},
		{0, "a", 20 * time.Second, false, `"token";r=0;t=20`},
		{0, "b", 0, true, `"token";r=2;t=20`}, // keys do not share
		{5 * time.Second, "a", 15 * time.Second, false, `"token";r=0;t=15`},
		{15 * time.Second, "a", 0, true, `"token";r=0;t=60`}, // refused ones have cost nothing
		{10 * time.Minute, "a", 0, true, `"token";r=2;t=20`},
	} {
		now = now.Add(step.after)
		h := http.Header{}
		wait, ok := r.Take(h, step.key, now)
		if wait != step.wait || ok != step.ok || h.Get("RateLimit") != step.left || h.Get("RateLimit-Policy") != `"token";q=3;w=60` {
			t.Errorf("%+v: got %s, %v, %v", step, wait, ok, h)
		}
	}
	for i := range 5000 {
		now = now.Add(time.Second)
		r.Take(http.Header{}, fmt.Sprint(i), now)
	}
	if n := len(r.free); n > 2100 {
		t.Errorf("%d keys are remembered, of which about 20 matter", n)
	}
	h := http.Header{}
	if _, ok := new(Rate).Take(h, "a", now); !ok || len(h) > 0 {
		t.Errorf("the zero Rate limits: %v", h)
	}
}
