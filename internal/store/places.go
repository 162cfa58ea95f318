package store

import (
	"net/netip"

	"github.com/counterfoil/counterfoil"
)

// A place is the network that an address belongs to: the first 24 bits of IPv4, the first 48 of IPv6. The first one that a
// token is used from is where it is at home; a later one waits to be told.

// maxPlaces bounds how many places are kept of a token: one that is used from more is at home everywhere.
const maxPlaces = 20

// Place returns the network of an address as text; empty where that is none.
func Place(ip string) string {
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	address, bits := address.Unmap().WithZone(""), 24
	if address.Is6() {
		bits = 48
	}
	network, err := address.Prefix(bits)
	if err != nil {
		return ""
	}
	return network.String()
}

// notePlace keeps the place of a use.
func (tx *Tx) notePlace(u Use) error {
	place := Place(u.IP)
	if place == "" {
		return nil
	}
	var known, here int64
	err := tx.q.row("SELECT COUNT(*), COALESCE(SUM(CASE WHEN place = $2 THEN 1 ELSE 0 END), 0) FROM token_places WHERE token = $1", u.Token, place).Scan(&known, &here)
	if err != nil || here > 0 || known >= maxPlaces {
		return err
	}
	_, err = tx.q.exec("INSERT INTO token_places (token, place, ip, first_at, told) VALUES ($1,$2,$3,$4,$5) ON CONFLICT (token, place) DO NOTHING",
		u.Token, place, u.IP, int64(u.At), flag(known == 0))
	return err
}

// NewPlace is the first use of a token from a place that it was not at home in.
type NewPlace struct {
	Token, Organization, Place, IP string
	At                             counterfoil.Instant
}

// NewPlaces lists up to limit places that wait to be told, oldest first. It crosses organizations: it serves the notices
// of all.
func (tx *Tx) NewPlaces(limit int) ([]NewPlace, error) {
	return collect(tx.q, func(r scanner) (p NewPlace, err error) {
		return p, r.Scan(&p.Token, &p.Organization, &p.Place, &p.IP, &p.At)
	}, `SELECT p.token, t.organization, p.place, p.ip, p.first_at FROM token_places p JOIN tokens t ON t.id = p.token
		WHERE p.told = 0 ORDER BY p.first_at LIMIT $1`, limit)
}

// ClaimPlace marks a place of one of the organization's tokens as told; false: it was.
func (tx *Tx) ClaimPlace(token, place string) (bool, error) {
	n, err := tx.q.exec(`UPDATE token_places SET told = 1 WHERE token = $1 AND place = $2 AND told = 0
		AND token IN (SELECT id FROM tokens WHERE organization = $3)`, token, place, tx.org)
	return n == 1, err
}
