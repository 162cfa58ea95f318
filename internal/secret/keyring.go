package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"slices"
	"sync"
	"sync/atomic"
)

const keyLen = 32

// Digest is what is stored of a token string: its HMAC-SHA-256 under an instance key.
type Digest [sha256.Size]byte

// Equal compares in constant time.
func (d Digest) Equal(other Digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

// Keyring holds the instance keys by id, from 1 to 255; the id is stored beside each digest. New digests are made under
// the current key. The zero Keyring holds none. It is safe for concurrent use.
type Keyring struct {
	mu   sync.Mutex // held by Rotate
	ring atomic.Pointer[ring]
}

// ring is one state of a Keyring; it is never changed once published.
type ring struct {
	keys [256]*instanceKey
	ids  []uint8 // in the order of the file: the last is current
}

func (r *ring) current() uint8 {
	if len(r.ids) == 0 {
		return 0
	}
	return r.ids[len(r.ids)-1]
}

// add makes key the current one. The caller has seen to it that id is new.
func (r *ring) add(id uint8, key [keyLen]byte) {
	r.keys[id] = newInstanceKey(key)
	r.ids = append(r.ids, id)
}

func (r *ring) clone() *ring { return &ring{keys: r.keys, ids: slices.Clone(r.ids)} }

func (k *Keyring) state() *ring {
	if r := k.ring.Load(); r != nil {
		return r
	}
	return &ring{}
}

// Current returns the id of the key for new digests; 0 when there is none.
func (k *Keyring) Current() uint8 { return k.state().current() }

// IDs returns the ids of all keys in the order of the file: the last is current.
func (k *Keyring) IDs() []uint8 { return slices.Clone(k.state().ids) }

// Digest returns the digest of the whole string s under a key. False means that this node lacks the key, which is a
// fault of the installation and says nothing about s. It allocates nothing in steady state.
func (k *Keyring) Digest(keyID uint8, s string) (Digest, bool) {
	r := k.ring.Load()
	if r == nil || r.keys[keyID] == nil {
		return Digest{}, false
	}
	return r.keys[keyID].digest(s), true
}

// Fingerprint returns a key's public check value, 16 hex digits, by which the database tells a wrong key file from the
// right one; "" for a key that this node lacks.
func (k *Keyring) Fingerprint(id uint8) string {
	d, ok := k.Digest(id, "counterfoil instance key check")
	if !ok {
		return ""
	}
	return hex.EncodeToString(d[:8])
}

// instanceKey keeps keyed hashes for reuse; the key itself lives in their states and in the pool's function.
type instanceKey struct{ macs sync.Pool }

// mac has its buffers beside it because what passes through a [hash.Hash] escapes.
type mac struct {
	h   hash.Hash
	in  [64]byte
	out [sha256.Size]byte
}

func newInstanceKey(key [keyLen]byte) *instanceKey {
	return &instanceKey{macs: sync.Pool{New: func() any { return &mac{h: hmac.New(sha256.New, key[:])} }}}
}

func (k *instanceKey) digest(s string) Digest {
	m := k.macs.Get().(*mac)
	m.h.Reset()
	for len(s) > 0 {
		n := copy(m.in[:], s)
		m.h.Write(m.in[:n])
		s = s[n:]
	}
	m.h.Sum(m.out[:0])
	d := Digest(m.out)
	clear(m.in[:])
	k.macs.Put(m)
	return d
}
