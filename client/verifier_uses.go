package client

import (
	"net/netip"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
)

// uses are the checks that were accepted and not told yet: "last used" stays right to a few seconds.
type uses struct{ shards [16]useShard }

type useShard struct {
	mu   sync.Mutex
	uses map[usedFrom]used
	_    [40]byte
}

type usedFrom struct {
	token string
	ip    netip.Addr
}

type used struct {
	count int64
	at    time.Time
}

const (
	mostUses    = 1000  // a report
	mostWaiting = 10000 // a shard: further tokens' uses are not counted
)

func (u *uses) init() {
	for i := range u.shards {
		u.shards[i].uses = map[usedFrom]used{}
	}
}

func (u *uses) shard(token string) *useShard { return &u.shards[token[len(token)-1]&15] }

func (u *uses) note(token string, ip netip.Addr, at time.Time) {
	u.add(usedFrom{token, ip}, used{1, at})
}

func (u *uses) add(from usedFrom, more used) {
	s := u.shard(from.token)
	s.mu.Lock()
	defer s.mu.Unlock()
	sum, known := s.uses[from]
	if !known && len(s.uses) >= mostWaiting {
		return
	}
	if sum.count += more.count; more.at.After(sum.at) {
		sum.at = more.at
	}
	s.uses[from] = sum
}

// take takes what one report may hold.
func (u *uses) take() (out []counterfoil.VerifierUse) {
	for i := range u.shards {
		s := &u.shards[i]
		s.mu.Lock()
		for from, sum := range s.uses {
			if len(out) == mostUses {
				break
			}
			use := counterfoil.VerifierUse{Token: from.token, Count: sum.count, LastAt: sum.at.UTC()}
			if from.ip.IsValid() {
				use.IP = from.ip.String()
			}
			out = append(out, use)
			delete(s.uses, from)
		}
		s.mu.Unlock()
	}
	return out
}

// back puts back what could not be told.
func (u *uses) back(list []counterfoil.VerifierUse) {
	for _, use := range list {
		ip, _ := netip.ParseAddr(use.IP) // as it was
		u.add(usedFrom{use.Token, ip}, used{use.Count, use.LastAt})
	}
}
