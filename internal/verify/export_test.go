package verify

import "context"

// OnRead has fn called whenever a check has read "token", "rules", "owner" or "catalogue" from the database and is about
// to remember it. Set it before the first check.
func (v *Verifier) OnRead(fn func(what string)) { v.onRead = fn }

// LimitRefusals sets how many refusals may be open or wait. Set it before the first check.
func (v *Verifier) LimitRefusals(most int) { v.noted.most = most }

// RenewCatalogue is what a new epoch does.
func (v *Verifier) RenewCatalogue(ctx context.Context) error { return v.renewCatalogue(ctx) }

// Deafen has the log of PostgreSQL no longer told to v.
func (v *Verifier) Deafen() { v.detach() }
