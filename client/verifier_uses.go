package client

import (
	"crypto/rand"
	"net/netip"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
)

// uses are the checks that were accepted and not told yet: "last used" stays right to a few seconds. What is known of a token
// holds its latest uses from one address; those from others, and those that could not be told, are in waiting.
type uses struct {
	mu      sync.Mutex        // guards what follows; taken with a cell locked
	cells   []*useCell        // that hold uses
	waiting map[usedFrom]used // told with the next report
}

// useCell are a token's uses from one address.
type useCell struct {
	token string
	until counterfoil.Instant // when the grace of the value ends that was used; 0: it is the present one

	mu    sync.Mutex // guards what follows
	ip    netip.Addr
	count int64 // 0: it is not in cells
	at    time.Time
}

type usedFrom struct {
	token string
	until counterfoil.Instant
	ip    netip.Addr
}

type used struct {
	count int64
	at    time.Time
}

const (
	mostUses    = 300     // a report: of at most 190 bytes each, and the server takes 64 KiB
	mostWaiting = 200_000 // tokens and addresses: uses of further ones are not counted
)

// note counts a use. An address counts without its zone, as it does on the server.
func (u *uses) note(c *useCell, ip netip.Addr, at time.Time) {
	ip = ip.WithZone("")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count > 0 && c.ip == ip {
		c.count++
		c.at = at
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if c.count == 0 {
		u.cells = append(u.cells, c)
	} else {
		u.add(usedFrom{c.token, c.until, c.ip}, used{c.count, c.at})
	}
	c.ip, c.count, c.at = ip, 1, at
}

// add needs mu.
func (u *uses) add(from usedFrom, more used) {
	sum, known := u.waiting[from]
	if !known && len(u.waiting) >= mostWaiting {
		return
	}
	if sum.count += more.count; more.at.After(sum.at) {
		sum.at = more.at
	}
	if u.waiting == nil {
		u.waiting = map[usedFrom]used{}
	}
	u.waiting[from] = sum
}

// take takes what one report may hold.
func (u *uses) take() (out []counterfoil.VerifierUse) {
	u.mu.Lock()
	cells := u.cells
	u.cells = nil
	u.mu.Unlock()
	for _, c := range cells {
		c.mu.Lock()
		u.mu.Lock()
		u.add(usedFrom{c.token, c.until, c.ip}, used{c.count, c.at})
		u.mu.Unlock()
		c.count = 0
		c.mu.Unlock()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for from, sum := range u.waiting {
		if len(out) == mostUses {
			break
		}
		use := counterfoil.VerifierUse{Token: from.token, Count: sum.count, LastAt: sum.at.UTC(), PreviousUntil: from.until.Ptr()}
		if from.ip.IsValid() {
			use.IP = from.ip.String()
		}
		out = append(out, use)
		delete(u.waiting, from)
	}
	return out
}

// back puts back what could not be told.
func (u *uses) back(list []counterfoil.VerifierUse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, use := range list {
		ip, _ := netip.ParseAddr(use.IP) // as it was
		from := usedFrom{token: use.Token, ip: ip}
		if use.PreviousUntil != nil {
			from.until = counterfoil.At(*use.PreviousUntil)
		}
		u.add(from, used{use.Count, use.LastAt})
	}
}

// telling are uses that one report tells. They keep their key until it is known what became of them: a node counts them once.
type telling struct {
	key  string
	uses []counterfoil.VerifierUse
}

// nextUses has uses that can be told, if there are any: those whose report has not been answered, before others.
func (v *Verifier) nextUses() {
	if len(v.telling.uses) > 0 {
		return
	}
	if uses := v.uses.take(); len(uses) > 0 {
		v.telling = telling{rand.Text(), uses}
	}
}
