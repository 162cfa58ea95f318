package web

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
)

// Failures writes what failed into a log. That something is unavailable is said at once, and from then on once a second with the
// number of times since the line before: while the database is away every request fails. Any other failure has a line of its own.
type Failures struct {
	mu    sync.Mutex
	quiet bool // a line was written less than a second ago
	times int  // failures since then
	last  func(times int)
}

// unavailableEvery is the time between two lines about what is unavailable.
const unavailableEvery = time.Second

// Log writes err with its attributes, or keeps it for the next line.
func (f *Failures) Log(log *slog.Logger, level slog.Level, message string, err error, attrs ...slog.Attr) {
	attrs = append(attrs, slog.Any("error", err))
	write := func(more ...slog.Attr) { log.LogAttrs(context.Background(), level, message, append(attrs, more...)...) }
	if level < slog.LevelWarn || NewProblem(err).Code != counterfoil.CodeUnavailable {
		write()
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.quiet {
		f.times, f.last = f.times+1, func(times int) { write(slog.Int("times", times)) }
		return
	}
	f.quiet = true
	write()
	time.AfterFunc(unavailableEvery, f.next)
}

// next writes what the second before has kept.
func (f *Failures) next() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.quiet = f.times > 0; f.quiet {
		f.last(f.times)
		f.times, f.last = 0, nil
		time.AfterFunc(unavailableEvery, f.next)
	}
}
