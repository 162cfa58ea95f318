package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// reading is one gathering of what a judgement needs.
type reading struct {
	// tx: everything is read in this transaction, as one state of the database, under its catalogue; nothing is taken from
	// memory or put there. Nil: the database is asked for what is not in memory.
	tx        *store.Tx
	catalogue *counterfoil.Catalogue // with tx
	asked     bool                   // the database was asked
}

// gather finds the token, its organization's rules and its owner, and compares the value. When the string is no token that
// this caller may know of, r stays as it is, without an entry.
//
// The database may be slow, and this node may fall behind the log meanwhile: what was taken from memory may then be out of
// date, so everything is read again.
func (v *Verifier) gather(ctx context.Context, p *secret.Parsed, q *Request, r *Result) error {
	epoch, alive, err := v.standing(ctx) // also where memory is not gone by: the catalogue in force is others' as well
	if err != nil {
		return err
	}
	if q.Strict || !alive {
		return v.readAtOnce(ctx, *p, *q, r)
	}
	rd := reading{}
	err = v.read(ctx, p, q, &rd, r)
	if rd.asked && err == nil {
		if now, still := v.Store.Alive(); !still || now != epoch {
			err = v.readAtOnce(ctx, *p, *q, r)
		}
	}
	return err
}

// readAtOnce reads everything as it is in the database at one moment after the call.
func (v *Verifier) readAtOnce(ctx context.Context, p secret.Parsed, q Request, r *Result) error {
	got := Result{Code: counterfoil.CodeInvalidToken} // not in r: a check that finds all in memory must not allocate it
	err := v.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		rd := reading{tx: tx}
		if rd.catalogue, err = v.catalogueIn(tx); err != nil {
			return err
		}
		return v.read(ctx, &p, &q, &rd, &got)
	})
	*r = got
	return err
}

func (v *Verifier) read(ctx context.Context, p *secret.Parsed, q *Request, rd *reading, r *Result) error {
	e, err := v.token(ctx, p.ID, rd)
	if err != nil || e == nil {
		return err
	}
	match, err := v.match(e, q.Token)
	if err != nil || match == counterfoil.NoMatch || (q.Within != "" && e.home.org.id != q.Within) || p.Kind != ShortKind(e.class.kind) {
		return err
	}
	compiled, err := v.rules(ctx, e.home.org, rd)
	if err != nil || compiled == nil {
		return err
	}
	var own *owner
	if e.home.owner != nil {
		if own, err = v.owner(ctx, e.home.owner, compiled, rd); err != nil {
			return err
		}
	}
	r.Match, r.id, r.entry, r.rules, r.owner = match, p.ID, e, compiled, own
	return nil
}

// match compares the presented string with the stored digests, in constant time each. A key that this server lacks is an
// error, as long as the digest made with it may decide.
func (v *Verifier) match(e *entry, presented string) (counterfoil.Match, error) {
	d, known := v.Keys.Digest(e.keyID, presented)
	if known && d.Equal(e.digest) {
		return counterfoil.MatchCurrent, nil
	}
	if m := e.more; m != nil && m.previousKeyID != 0 {
		if m.previousKeyID != e.keyID {
			var old bool
			if d, old = v.Keys.Digest(m.previousKeyID, presented); !old {
				known = known && v.Now() >= m.previousUntil
				d = secret.Digest{}
			}
		}
		if d.Equal(m.previous) {
			return counterfoil.MatchPrevious, nil
		}
	}
	if !known {
		return counterfoil.NoMatch, errKey
	}
	return counterfoil.NoMatch, nil
}

var errKey = errors.New("this server lacks the instance key that the token's digest was made with")

// token finds a record; nil: there is no such token.
func (v *Verifier) token(ctx context.Context, id [12]byte, rd *reading) (*entry, error) {
	if rd.tx == nil {
		if e := v.cache.get(id); e != nil {
			return e, nil
		}
	}
	v.misses.Add(1)
	rd.asked = true
	generation := v.cache.generation(id)
	t, found, err := v.lookUp(ctx, tokenID(id), rd)
	v.reached("token")
	if err != nil || !found {
		return nil, err
	}
	if (t.Kind == counterfoil.KindSystem) != (t.Organization == "") {
		return nil, fmt.Errorf("token %s is damaged: its kind and its organization do not fit", t.ID)
	}
	e := v.newEntry(&t)
	if rd.tx == nil {
		v.cache.put(id, e, generation)
	}
	return e, nil
}

func (v *Verifier) lookUp(ctx context.Context, id string, rd *reading) (store.Token, bool, error) {
	if rd.tx != nil {
		return rd.tx.Credential(id)
	}
	return v.Store.LookUp(ctx, id)
}

func (v *Verifier) newEntry(t *store.Token) *entry {
	e := &entry{
		keyID: t.KeyID, paused: t.Paused, revoked: t.RevokedAt != 0, digest: t.Digest, class: v.cache.classes.of(t),
		renewedAt: t.RenewedAt, expiresAt: t.ExpiresAt, name: t.Name,
	}
	if t.Owner != "" {
		e.home = &v.slots.owner(t.Owner, t.Organization).home
	} else {
		e.home = &v.slots.org(t.Organization).home
	}
	if t.IPFilter != "" || t.PreviousKeyID != 0 {
		e.more = &more{ipFilter: t.IPFilter, previous: t.Previous, previousKeyID: t.PreviousKeyID, previousUntil: t.PreviousUntil}
	}
	return e
}

// rules returns an organization's rules; nil: there is no such organization.
func (v *Verifier) rules(ctx context.Context, s *orgSlot, rd *reading) (*rules.Compiled, error) {
	if rd.tx != nil {
		return v.rulesIn(s, rd)
	}
	inForce := v.Rules.InForce.Catalogue()
	if c := s.value.Load(); c != nil && c.Catalogue == inForce {
		return c, nil
	}
	stamp := s.stamp()
	if s.id == "" {
		c := rules.System(inForce)
		s.fill(c, stamp)
		return c, nil
	}
	rd.asked = true
	var c *rules.Compiled
	err := v.Store.View(ctx, s.id, func(tx *store.Tx) (err error) {
		c, err = v.Rules.Committed(tx)
		return err
	})
	v.reached("rules")
	if err == nil && c != nil {
		s.fill(c, stamp)
	}
	return c, err
}

func (v *Verifier) rulesIn(s *orgSlot, rd *reading) (c *rules.Compiled, err error) {
	err = rd.tx.In(s.id, func(tx *store.Tx) error {
		c, err = v.Rules.Under(tx, rd.catalogue)
		return err
	})
	v.reached("rules")
	return c, err
}

// owner returns a member with what it holds under the given rules. A member that is gone is inactive and holds nothing.
func (v *Verifier) owner(ctx context.Context, s *ownerSlot, under *rules.Compiled, rd *reading) (*owner, error) {
	if rd.tx != nil {
		return v.ownerIn(s, under, rd)
	}
	if o := s.value.Load(); o != nil && o.under == under {
		return o, nil
	}
	stamp := s.stamp()
	if o := s.value.Load(); o != nil { // there after the stamp was read: the member is as it was
		o = newOwner(o.member, under)
		s.fill(o, stamp)
		return o, nil
	}
	rd.asked = true
	var m store.Member
	err := v.Store.View(ctx, s.ownerKey.org, func(tx *store.Tx) (err error) {
		m, _, err = tx.Member(s.id)
		return err
	})
	v.reached("owner")
	if err != nil {
		return nil, err
	}
	o := newOwner(m, under)
	s.fill(o, stamp)
	return o, nil
}

func (v *Verifier) ownerIn(s *ownerSlot, under *rules.Compiled, rd *reading) (*owner, error) {
	var m store.Member
	err := rd.tx.In(s.ownerKey.org, func(tx *store.Tx) (err error) {
		m, _, err = tx.Member(s.id)
		return err
	})
	v.reached("owner")
	if err != nil {
		return nil, err
	}
	return newOwner(m, under), nil
}

// reached tells a test that something was read and is about to be remembered.
func (v *Verifier) reached(what string) {
	if fn := v.onRead.Load(); fn != nil {
		(*fn)(what)
	}
}
