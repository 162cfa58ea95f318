package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/hec"
	"github.com/counterfoil/counterfoil/internal/store"
)

// item is an event in the collector's form.
type item struct {
	event    *counterfoil.Event
	line     []byte
	withheld bool // line is the note in its place
	dropped  bool // not even the note is taken
}

// piece is a run of items that is sent at once.
type piece []item

// sent is a piece that the collector has taken.
type sent struct {
	piece   piece
	receipt hec.Receipt
	at      time.Time
}

// fill reads what comes next.
func (r *runner) fill(ctx context.Context) error {
	r.added = r.Store.Watch(r.org)
	var list store.EventList
	err := r.Store.View(ctx, r.org, func(tx *store.Tx) (err error) {
		list, err = tx.FindEvents(store.EventFilter{After: r.read, Limit: r.pace.events, Bytes: r.pace.bytes})
		return err
	})
	if err != nil || len(list.Events) == 0 {
		return err
	}
	p := make(piece, len(list.Events))
	for i := range list.Events {
		p[i].event = &list.Events[i]
		if p[i].line, err = r.collector.Encode(p[i].event); err != nil {
			return fmt.Errorf("event %d: %w", p[i].event.Number, err)
		}
	}
	r.todo, r.read = []piece{p}, p[len(p)-1].event.Number
	return nil
}

// send offers the first piece of todo to the collector.
func (r *runner) send(ctx context.Context) error {
	p := r.todo[0]
	receipt := hec.Receipt{}
	if !p[0].dropped {
		free, ok := r.slot(ctx, r.slots())
		if !ok {
			return ctx.Err()
		}
		lines := make([][]byte, len(p))
		for i := range p {
			lines[i] = p[i].line
		}
		var err error
		receipt, err = r.collector.Send(ctx, lines)
		free()
		var fault *hec.Fault
		if errors.As(err, &fault) && (fault.Kind == hec.Invalid || fault.Kind == hec.TooLarge) {
			return r.divide(fault)
		}
		if err != nil {
			return err
		}
	}
	if receipt.Pending {
		if receipt.AckID <= r.ackID { // it counts anew, as after a restart: yes to a number may mean another batch
			return &hec.Fault{Kind: hec.Busy, Code: "not_indexed", Detail: "The collector has forgotten what it was sent and had not said to be indexed, as after a restart. It is sent again."}
		}
		r.ackID = receipt.AckID
	}
	r.todo = r.todo[1:]
	if len(r.flight) == 0 {
		r.asked, r.askAt = 0, time.Now().Add(r.pace.ask)
	}
	r.flight = append(r.flight, sent{p, receipt, time.Now()})
	return r.settle(ctx)
}

func (r *runner) slots() chan struct{} {
	if r.faults > 0 {
		return r.inTroubles
	}
	return r.workers
}

// divide cuts the first piece of todo so that the event that the collector does not take stands alone. Alone, a note with its id
// takes its place; where that is not taken either, it is counted and left out, so that it holds nothing up.
func (r *runner) divide(fault *hec.Fault) error {
	p := r.todo[0]
	var parts []piece
	switch n := fault.Event; {
	case len(p) == 1:
		if err := r.withhold(&p[0], fault); err != nil {
			return err
		}
		parts = []piece{p}
	case fault.Kind == hec.Invalid && n >= 0 && n < len(p):
		parts = []piece{p[:n], p[n : n+1], p[n+1:]}
	default:
		parts = []piece{p[:len(p)/2], p[len(p)/2:]}
	}
	rest := r.todo[1:]
	r.todo = nil
	for _, part := range parts {
		if len(part) > 0 {
			r.todo = append(r.todo, part)
		}
	}
	r.todo = append(r.todo, rest...)
	return nil
}

func (r *runner) withhold(i *item, fault *hec.Fault) (err error) {
	why, became := "as invalid: "+fault.Detail, "A note with its id was delivered in its place."
	if fault.Kind == hec.TooLarge {
		why = "as too large."
	}
	if i.withheld {
		i.dropped, became = true, "It did not take the note with its id either."
	} else {
		i.withheld = true
		i.line, err = r.collector.Withheld(i.event, "The collector refused this event "+why+" Counterfoil's log has it.")
	}
	r.tell("event_refused", fmt.Sprintf("The collector refused event #%d %s %s", i.event.Number, why, became))
	return err
}

// ask asks which batches are indexed.
func (r *runner) ask(ctx context.Context) error {
	var pending []hec.Receipt
	for _, s := range r.flight {
		if s.receipt.Pending {
			pending = append(pending, s.receipt)
		}
	}
	free, ok := r.slot(ctx, r.slots())
	if !ok {
		return ctx.Err()
	}
	indexed, err := r.collector.Indexed(ctx, pending)
	free()
	if err != nil {
		return err
	}
	for i := range r.flight {
		if s := &r.flight[i]; s.receipt.Pending && indexed[s.receipt.AckID] {
			s.receipt.Pending = false
		}
	}
	if r.flight[0].receipt.Pending {
		r.asked++
	} else {
		r.asked = 0
	}
	r.askAt = time.Now().Add(min(r.pace.ask<<min(r.asked, 20), r.pace.slowAsk))
	if err := r.settle(ctx); err != nil {
		return err
	}
	if len(r.flight) > 0 && time.Since(r.flight[0].at) > r.pace.indexedWithin {
		return &hec.Fault{Kind: hec.Busy, Code: "not_indexed", Detail: fmt.Sprintf("The collector took events and did not say within %v that they are indexed. They are sent again. Where several collectors stand behind a load balancer, it must keep a client to one of them.", r.pace.indexedWithin)}
	}
	return nil
}

// settle moves the cursor behind what the collector has, in the order of the log.
func (r *runner) settle(ctx context.Context) error {
	n := 0
	for _, s := range r.flight {
		if s.receipt.Pending {
			break
		}
		n++
		last := s.piece[len(s.piece)-1]
		r.export.After = last.event.Number
		if !last.dropped {
			r.export.DeliveredTo, r.export.DeliveredAt = last.event.Number, r.Store.Now()
		}
		if last.withheld { // it stands alone
			r.export.Missing++
			r.export.LastMissing = last.event.Number
		}
	}
	if n == 0 {
		return nil
	}
	r.flight = r.flight[n:]
	r.faults, r.export.State, r.export.NextAttempt = 0, "", 0
	return r.save(ctx)
}
