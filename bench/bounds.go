//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// boundsOfCreates measures what bounds creates from either side, beside how often the disk syncs: the same requests to an
// empty handler, and the same rows written without any request.
func (b *bench) boundsOfCreates(w *world, creates order) error {
	progress("what bounds creates")
	empty, err := launch("/proc/self/exe", "empty")
	if err != nil {
		return err
	}
	defer empty.stop()
	if err := empty.await(); err != nil {
		return err
	}
	creates.Address, creates.PID, creates.Status, creates.Holds = empty.address, empty.pid(), 200, ""
	if err := b.bound("an empty handler with the same requests", func() (float64, float64, error) {
		r, err := b.load.round(creates)
		return r.rate(), r.cpuMicros(), err
	}); err != nil {
		return err
	}
	s, err := store.Open(b.ctx, store.Config{Dir: w.config.Dir})
	if err != nil {
		return err
	}
	defer s.Close()
	keys, err := secret.LoadKeyring(filepath.Join(w.config.Dir, "instance.key"))
	if err != nil {
		return err
	}
	return b.bound("the store alone with the same rows", func() (float64, float64, error) { return b.writeRows(w, s, keys) })
}

// bound notes the medians of rounds, each between two measurements of the disk.
func (b *bench) bound(what string, round func() (rate, cpu float64, err error)) error {
	var rates, cpus, ratios, syncs []float64
	before, err := b.syncRate()
	if err != nil {
		return err
	}
	for range 3 {
		rate, cpu, err := round()
		if err != nil {
			return err
		}
		after, err := b.syncRate()
		if err != nil {
			return err
		}
		sync := (before + after) / 2
		rates, cpus, ratios, syncs, before = append(rates, rate), append(cpus, cpu), append(ratios, rate/sync), append(syncs, sync), after
	}
	b.report.note("  bound: "+what, fmt.Sprintf("%.0f/s, CPU %.0f µs", median(rates), median(cpus)), fmt.Sprintf("%.2f × fdatasync %.0f/s", median(ratios), median(syncs)))
	return nil
}

// writeRows has 64 writers write tokens and their events, as a create does, and returns how many a second and the
// processor time of each in microseconds.
func (b *bench) writeRows(w *world, s *store.Store, keys *secret.Keyring) (rate, cpu float64, err error) {
	metadata := json.RawMessage(`{"kind":"organization","permissions":["devices:read","devices:write"],"expires_at":"2026-12-26T00:00:00Z","ip_filter":null}`)
	var n atomic.Int64
	var group sync.WaitGroup
	errs := make(chan error, writeConns)
	end := time.Now().Add(time.Duration(writeSeconds * float64(time.Second)))
	began, used := time.Now(), processTime(os.Getpid())
	for i := range writeConns {
		group.Go(func() {
			for j := i; time.Now().Before(end); j += writeConns {
				org := w.orgs[j*7919%len(w.orgs)]
				value := secret.Mint("cfl", secret.Organization)
				t := store.Token{ID: "tok_" + value.ID(), Kind: counterfoil.KindOrganization, Name: fmt.Sprintf("deploy %d", j), Hint: value.Hint(), Permissions: permissionSets[1], KeyID: keys.Current(), CreatedBy: w.ids[0]}
				t.Digest, _ = keys.Digest(t.KeyID, value.Reveal())
				err := s.Update(b.ctx, org, store.ForTokens, func(tx *store.Tx) error {
					t.CreatedAt, t.RenewedAt, t.ExpiresAt = tx.Now(), tx.Now(), tx.Now().Plus(30*24*60*60)
					tx.Append(counterfoil.Event{Type: "tokens", Action: "token_created", Actor: counterfoil.Actor{Kind: "token", ID: w.ids[0], TokenID: w.ids[0], IP: "127.0.0.1"},
						Target: counterfoil.Target{Kind: "token", ID: t.ID, Name: t.Name}, Metadata: metadata})
					return tx.InsertToken(t)
				})
				if err != nil {
					errs <- err
					return
				}
				n.Add(1)
			}
		})
	}
	group.Wait()
	rate = float64(n.Load()) / time.Since(began).Seconds()
	cpu = float64((processTime(os.Getpid()) - used).Microseconds()) / max(float64(n.Load()), 1)
	close(errs)
	return rate, cpu, <-errs
}
