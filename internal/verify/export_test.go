package verify

import "context"

// OnRead has fn called whenever "token", "rules", "owner" or "catalogue" was read from the database and is about to be
// remembered: by a check or, on PostgreSQL, whenever the log tells of a catalogue. Nil: nothing is called.
func (v *Verifier) OnRead(fn func(what string)) {
	if fn == nil {
		v.onRead.Store(nil)
		return
	}
	v.onRead.Store(&fn)
}

// LimitRefusals sets how many refusals may be open or wait. Set it before the first check.
func (v *Verifier) LimitRefusals(most int) { v.noted.most = most }

// RenewCatalogue is what a new epoch does.
func (v *Verifier) RenewCatalogue(ctx context.Context) error { return v.renewCatalogue(ctx) }

// Deafen has the log of PostgreSQL no longer told to v.
func (v *Verifier) Deafen() { v.detach() }
