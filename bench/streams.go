//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

const (
	streams      = 50
	streamRounds = 3
)

// streamed compares creates while streams of changes are read, as verifiers do, with the same creates alone, in turn.
func (b *bench) streamed(p *process, system string, o order) (row, error) {
	progress("creates, followed by %d verifiers' streams", streams)
	o.Address, o.PID, o.Seconds = p.address, p.pid(), writeSeconds
	var rates [2][]float64
	var messages []float64
	for range streamRounds {
		for side := range 2 {
			stop, said := func() error { return nil }, new(atomic.Int64)
			if side == 1 {
				var err error
				if stop, said, err = follow(b.ctx, p.address, system); err != nil {
					return row{}, err
				}
			}
			before := said.Load()
			r, err := b.load.round(o)
			if err = errors.Join(err, stop()); err != nil {
				return row{}, err
			}
			o.From += r.Requests
			rates[side] = append(rates[side], r.rate())
			if side == 1 {
				messages = append(messages, float64(said.Load()-before)/writeSeconds)
			}
		}
	}
	return row{what: fmt.Sprintf("SQLite, creates beside %d streams of changes", streams),
		value:  fmt.Sprintf("%.0f/s, %.0f messages/s read", median(rates[1]), median(messages)),
		beside: fmt.Sprintf("%.2f × without %.0f/s", median(ratios(rates[1], rates[0])), median(rates[0]))}, nil
}

// follow reads streams of changes until stop is called, and counts the messages. It returns when each has begun.
func follow(ctx context.Context, address, system string) (stop func() error, messages *atomic.Int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	messages = new(atomic.Int64)
	var readers sync.WaitGroup
	begun, ended := make(chan struct{}, streams), make(chan error, streams)
	for range streams {
		readers.Go(func() {
			first := sync.OnceFunc(func() { begun <- struct{}{} })
			err := client.New("http://"+address, system).FollowChanges(ctx, -1, nil, time.Minute, func(counterfoil.Changes) error {
				messages.Add(1)
				first()
				return nil
			})
			if ctx.Err() == nil {
				ended <- err
			}
		})
	}
	stop = func() error {
		cancel()
		readers.Wait()
		select {
		case err := <-ended:
			return err
		default:
			return nil
		}
	}
	for range streams {
		select {
		case <-begun:
		case err := <-ended:
			return nil, nil, errors.Join(err, stop())
		}
	}
	return stop, messages, nil
}
