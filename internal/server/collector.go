package server

import (
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
)

// collector lets the garbage collector run less often while the heap is small: answering a check leaves a little
// garbage, and with a live heap of a few megabytes the collector would otherwise run many times a second. It spends at
// most spareHeap on that. A GOGC in the environment is the operator's word and is kept.
type collector struct {
	percent int // 0: not ours to set
	live    []runtimemetrics.Sample
}

const (
	spareHeap           = 256 << 20 // bytes of garbage that may wait
	minPercent          = 100       // Go's own default
	maxPercent          = 400
	percentWorthAChange = 25 // a change stops the world for a moment
)

func newCollector() *collector {
	c := &collector{live: []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	if os.Getenv("GOGC") == "" {
		c.percent = minPercent
	}
	return c
}

// pace sets the collector's percentage for the heap as it is now.
func (c *collector) pace() {
	if c.percent == 0 {
		return
	}
	runtimemetrics.Read(c.live)
	want := paceFor(c.live[0].Value.Uint64())
	if diff := want - c.percent; diff >= percentWorthAChange || diff <= -percentWorthAChange {
		c.percent = want
		debug.SetGCPercent(want)
	}
}

func paceFor(live uint64) int {
	if live == 0 {
		return maxPercent
	}
	return int(min(max(spareHeap*100/live, minPercent), maxPercent))
}
