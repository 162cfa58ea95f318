package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// ChangeOf says what an entry of the log may have changed of what verdicts go by. It is apply for those who judge by themselves.
func ChangeOf(e *counterfoil.Event) counterfoil.Change {
	switch e.Target.Kind {
	case "token":
		if _, ok := bareID(e.Target.ID); !ok || e.Action == "token_refused" {
			return counterfoil.Change{Scope: counterfoil.ScopeNothing}
		}
		return counterfoil.Change{Scope: counterfoil.ScopeToken, ID: e.Target.ID}
	case "member":
		return counterfoil.Change{Scope: counterfoil.ScopeMember, ID: e.Target.ID}
	case "organization", "policy", "ip_filter", "role":
		return counterfoil.Change{Scope: counterfoil.ScopeOrganization, ID: e.OrganizationID}
	case "catalogue":
		return counterfoil.Change{Scope: counterfoil.ScopeEverything}
	case "", "session", "passkey", "export", "webhook", "provider_key":
		return counterfoil.Change{Scope: counterfoil.ScopeNothing}
	}
	if e.OrganizationID == "" { // what a newer version knows
		return counterfoil.Change{Scope: counterfoil.ScopeEverything}
	}
	return counterfoil.Change{Scope: counterfoil.ScopeOrganization, ID: e.OrganizationID}
}

// Facts returns what a token is judged by, all of it as the database has it at one moment after the call. known is the version of
// the catalogue that need not be told again.
func (v *Verifier) Facts(ctx context.Context, token, known string) (out counterfoil.FactsAnswer, err error) {
	r := Result{Code: counterfoil.CodeInvalidToken}
	parsed, ok := secret.Parse(token)
	if ok && parsed.Prefix != v.Prefix {
		if url, other := v.DataCenters[parsed.Prefix]; other {
			r = Result{Code: counterfoil.CodeWrongDataCenter, url: url}
		}
		ok = false
	}
	if ok {
		if _, _, err := v.standing(ctx); err != nil {
			return out, err
		}
		if err := v.readAtOnce(ctx, parsed, Request{Token: token}, &r); err != nil {
			return out, err
		}
	}
	if r.entry == nil {
		return counterfoil.FactsAnswer{Code: r.Code, Message: r.Message()}, nil
	}
	f := v.describe(&r)
	if f.Catalogue.Version == known {
		f.Catalogue.Permissions = nil
	}
	return counterfoil.FactsAnswer{Code: counterfoil.CodeOK, Facts: &f}, nil
}

// describe tells everything that the judgement of a result goes by.
func (v *Verifier) describe(r *Result) counterfoil.Facts {
	record, holder := r.judged()
	f := counterfoil.Facts{Format: counterfoil.FactsFormat, Previous: r.Match == counterfoil.MatchPrevious, Filters: []counterfoil.FactsFilter{}, Catalogue: v.catalogueFace(r.rules.Catalogue)}
	f.Token = counterfoil.FactsToken{ID: r.TokenID(), Kind: record.Kind, Integration: record.Integration, Name: r.Name(), Permissions: record.Permissions, IPFilter: record.IPFilter,
		Revoked: record.Revoked, Paused: record.Paused, RenewedAt: record.RenewedAt, ExpiresAt: record.ExpiresAt, PreviousUntil: record.PreviousUntil}
	if holder != nil {
		f.Owner = &counterfoil.FactsOwner{Active: holder.Active, Permissions: holder.Permissions}
		f.Owner.ID, f.Owner.Email = r.Owner()
	}
	wanted := map[string]bool{record.IPFilter: true}
	if id, slug := r.Organization(); id != "" {
		f.Organization = &counterfoil.FactsOrganization{ID: id, Slug: slug, Active: r.rules.OrganizationActive, Version: r.rules.Org.Version}
		for _, kind := range counterfoil.PolicyKinds {
			p := r.rules.Policy(kind)
			f.Organization.Policies = append(f.Organization.Policies, *p)
			if p.EnforcedIPFilter != nil {
				wanted[*p.EnforcedIPFilter] = true
			}
		}
	}
	for _, filter := range r.rules.IPFilters {
		if wanted[filter.ID] {
			f.Filters = append(f.Filters, counterfoil.FactsFilter{ID: filter.ID, Rules: filter.Rules})
		}
	}
	return f
}

// toldCatalogue is a catalogue as it is told.
type toldCatalogue struct {
	of   *counterfoil.Catalogue
	face counterfoil.FactsCatalogue
}

// catalogueFace is a catalogue for those who judge by themselves: its version is what it says.
func (v *Verifier) catalogueFace(c *counterfoil.Catalogue) counterfoil.FactsCatalogue {
	if told := v.told.Load(); told != nil && told.of == c {
		return told.face
	}
	face := counterfoil.FactsCatalogue{Permissions: []counterfoil.Permission{}}
	for _, p := range c.Permissions() {
		if !strings.HasPrefix(p.Name, "counterfoil.") {
			face.Permissions = append(face.Permissions, p)
		}
	}
	text, _ := json.Marshal(face.Permissions) // texts
	sum := sha256.Sum256(text)
	face.Version = hex.EncodeToString(sum[:16])
	v.told.Store(&toldCatalogue{c, face})
	return face
}

// oldestUse is how long after it a use may still be told, in seconds.
const oldestUse = 60 * 60

// longestGrace is how long a value may outlive its rotation, in seconds.
const longestGrace = 7 * 24 * 60 * 60

// untilOf is when the grace of the value that was used ends; 0: it is the present one, or that is no time that a grace could end at.
func untilOf(u counterfoil.VerifierUse, now counterfoil.Instant) counterfoil.Instant {
	if u.PreviousUntil == nil {
		return 0
	}
	until := counterfoil.At(*u.PreviousUntil)
	if until < now.Plus(-oldestUse) || until > now.Plus(longestGrace) {
		return 0
	}
	return until
}

// NoteUses notes uses that somebody else has accepted: all of them, or with an error none. Those of what is no token here, or a
// damaged one, are dropped: who sent them would send them for ever.
func (v *Verifier) NoteUses(ctx context.Context, uses []counterfoil.VerifierUse) error {
	now := v.Now()
	sums := map[useKey]useSum{}
	for _, u := range uses {
		id, ok := bareID(u.Token)
		if !ok {
			continue
		}
		if v.cache.get(id) == nil {
			_, found, err := v.Store.LookUp(ctx, u.Token)
			if err != nil && !errors.Is(err, store.ErrDamaged) {
				return err
			} else if !found {
				continue
			}
		}
		ip, _ := netip.ParseAddr(u.IP) // what is none is no address
		at := min(max(counterfoil.At(u.LastAt), now.Plus(-oldestUse)), now)
		k := useKey{id, ip.Unmap().WithZone(""), untilOf(u, now)}
		sums[k] = useSum{max(at, sums[k].at), sums[k].count + max(u.Count, 1)}
	}
	v.touch.mu.Lock()
	defer v.touch.mu.Unlock()
	for k, sum := range sums {
		v.touch.add(k, sum)
	}
	return nil
}
