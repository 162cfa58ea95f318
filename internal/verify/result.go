package verify

import (
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/judge"
)

// Result is a verdict with what the faces may tell of the token. The zero Result is a refusal. The accessors of a result
// that is not Proven return zero values.
type Result struct {
	Code      counterfoil.Code
	Match     counterfoil.Match
	Reference string // ref_…, for a refusal of a proven token

	id    [12]byte
	entry *entry
	rules *rules.Compiled
	owner *owner
	url   string
	lacks string              // of a missing permission: the message
	now   counterfoil.Instant // of the judgement
}

// Active reports whether the token may be used as asked.
func (r *Result) Active() bool { return r.Code == counterfoil.CodeOK }

// Proven reports whether the caller proved possession of the token's value, now or before its rotation.
func (r *Result) Proven() bool { return r.entry != nil }

// Message says in words, safe for the caller, why a check was refused.
func (r *Result) Message() string {
	if r.url != "" {
		return "This token belongs to another data centre. Use " + r.url + "."
	}
	if r.lacks != "" {
		return r.lacks
	}
	return judge.Message(r.Code)
}

// judged is what the judgement is asked about: the record, and its holder unless it has none. A token ends with its
// organization.
func (r *Result) judged() (judge.Record, *judge.Holder) {
	record := r.entry.record()
	record.Revoked = record.Revoked || r.rules.Org.Deleted
	if r.owner == nil {
		return record, nil
	}
	return record, &r.owner.holder
}

// TokenID returns tok_…
func (r *Result) TokenID() string {
	if r.entry == nil {
		return ""
	}
	return tokenID(r.id)
}

// AppendTokenID appends tok_… to b.
func (r *Result) AppendTokenID(b []byte) []byte {
	if r.entry == nil {
		return b
	}
	return append(append(b, "tok_"...), r.id[:]...)
}

func (r *Result) Kind() counterfoil.Kind {
	if r.entry == nil {
		return ""
	}
	return r.entry.class.kind
}

func (r *Result) Integration() counterfoil.Integration {
	if r.entry == nil {
		return ""
	}
	return r.entry.class.integration
}

func (r *Result) Name() string {
	if r.entry == nil {
		return ""
	}
	return r.entry.name
}

// Permissions are the effective ones (P7).
func (r *Result) Permissions() counterfoil.Permissions {
	if r.entry == nil {
		return nil
	}
	record, holder := r.judged()
	return judge.Effective(&record, holder, &r.rules.Rules)
}

// ExpiresAt is the effective expiry; 0: none.
func (r *Result) ExpiresAt() counterfoil.Instant {
	if r.entry == nil {
		return 0
	}
	record := r.entry.record()
	return judge.EffectiveExpiry(&record, &r.rules.Rules)
}

// ExpiresSoon reports whether the token may be used now and expires within [SoonSeconds], and when.
func (r *Result) ExpiresSoon() (at counterfoil.Instant, soon bool) {
	if !r.Active() {
		return 0, false
	}
	at = r.ExpiresAt()
	return at, at != 0 && at <= r.now.Plus(SoonSeconds)
}

// SoonSeconds is how long before its expiry a token's checks say so: 14 days.
const SoonSeconds = 14 * 24 * 60 * 60

// RenewedAt is when the token was issued or its expiry last edited, for RFC 7662's iat.
func (r *Result) RenewedAt() time.Time {
	if r.entry == nil {
		return time.Time{}
	}
	return r.entry.renewedAt.Time()
}

// Organization returns the id and slug of the token's organization; empty for a system token.
func (r *Result) Organization() (id, slug string) {
	if r.rules == nil {
		return "", ""
	}
	return r.rules.Org.ID, r.rules.Org.Slug
}

// abroad reports whether a name is that of another organization than the one that a provider's personal token belongs to.
func (r *Result) abroad(name string) bool {
	return name != "" && name != "current" && r.Kind() == counterfoil.KindPersonal && r.rules.Org.Provider && name != r.rules.Org.ID && name != r.rules.Org.Slug
}

// Owner returns the member that a personal token belongs to.
func (r *Result) Owner() (id, email string) {
	if r.owner == nil {
		return "", ""
	}
	return r.owner.member.ID, r.owner.member.Email
}

// OwnerUser returns the person behind a personal token, usr_…
func (r *Result) OwnerUser() string {
	if r.owner == nil {
		return ""
	}
	return r.owner.member.UserID
}

// grace is when the presented value ends, if that is the one before the last rotation; else 0.
func (r *Result) grace() counterfoil.Instant {
	if r.Match == counterfoil.MatchPrevious && r.entry.more != nil {
		return r.entry.more.previousUntil
	}
	return 0
}

// Presented returns the digest of the presented value, as the token's record has it, and the id of its key.
func (r *Result) Presented() (keyID uint8, digest secret.Digest) {
	switch {
	case r.entry == nil:
		return 0, digest
	case r.Match == counterfoil.MatchPrevious && r.entry.more != nil:
		return r.entry.more.previousKeyID, r.entry.more.previous
	}
	return r.entry.keyID, r.entry.digest
}
