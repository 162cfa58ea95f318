package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

const (
	day  = 24 * time.Hour
	soon = 14 * day
)

// tokenForm is the form that makes or edits a token.
type tokenForm struct {
	*form
	*shelf
	offer registry.Offer
	token *counterfoil.Token // that is edited; nil for a new one
	to    string             // where it is sent
}

// tokenFields says which field of the form a member of the request is.
var tokenFields = map[string]string{"name": "name", "permissions": "permissions", "expires_in": "expiry", "expires_at": "expiry", "ip_filter": "ip_filter"}

// dayChips are the expiries that one click chooses.
var dayChips = []int{7, 30, 60, 90}

func (v *visit) tokenForm(s *shelf, f *form, t *counterfoil.Token) (*tokenForm, error) {
	var held counterfoil.Permissions
	if t != nil {
		held = t.Permissions
	}
	offer, err := v.c.Registry.Offer(v.r.Context(), v.caller(), s.kind, held)
	if err != nil {
		return nil, err
	}
	return &tokenForm{form: f, shelf: s, offer: offer, token: t, to: v.r.URL.Path}, nil
}

func (v *visit) newToken(s *shelf) error {
	f, err := v.tokenForm(s, filled("once", rand.Text()), nil)
	if err != nil {
		return err
	}
	f.values.Set("expiry", f.standardExpiry())
	return v.show(200, "New "+s.noun, newTokenPage(v, f))
}

// standardExpiry is the choice that the policy's default comes to.
func (f *tokenForm) standardExpiry() string {
	seconds := f.offer.Policy.DefaultLifetimeSeconds
	if seconds == nil {
		seconds = f.offer.Policy.MaxLifetimeSeconds
	}
	if seconds == nil {
		return "never"
	}
	for _, n := range dayChips {
		if *seconds == int64(n)*86400 {
			return "days:" + strconv.Itoa(n)
		}
	}
	return "standard"
}

// tooLong reports whether the policy's longest lifetime forbids so many seconds.
func (f *tokenForm) tooLong(seconds int64) bool {
	longest := f.offer.Policy.MaxLifetimeSeconds
	return longest != nil && seconds > *longest
}

func (f *tokenForm) neverAllowed() bool {
	return !f.offer.Policy.ExpiryRequired && f.offer.Policy.MaxLifetimeSeconds == nil
}

// lastDate is the latest date that may be chosen; empty when any may.
func (f *tokenForm) lastDate(now time.Time) string {
	longest := f.offer.Policy.MaxLifetimeSeconds
	if longest == nil {
		return ""
	}
	return now.Add(time.Duration(*longest) * time.Second).Format(time.DateOnly)
}

// chosenExpiry reads which expiry was chosen: seconds from now, 0 for none; false: nothing was chosen, the policy
// decides. A date means its end (UTC), or the longest lifetime where that ends on it.
func (f *tokenForm) chosenExpiry(now time.Time) (in int64, chosen bool) {
	choice := f.get("expiry")
	switch {
	case choice == "never":
		return 0, true
	case strings.HasPrefix(choice, "days:"):
		n, err := strconv.Atoi(choice[len("days:"):])
		if err != nil || n < 1 || n > 36500 {
			f.wrong("expiry", "choose one of these expiries")
			return 0, false
		}
		return int64(n) * 86400, true
	case choice == "date":
		at, err := time.Parse(time.DateOnly, f.get("expiry_date"))
		if err != nil {
			f.wrong("expiry", "choose the date on which it expires")
			return 0, false
		}
		end := at.Add(day - time.Second)
		if !end.After(now) {
			f.wrong("expiry", "that date is past")
			return 0, false
		}
		seconds := int64(end.Sub(now) / time.Second)
		if longest := f.offer.Policy.MaxLifetimeSeconds; longest != nil && seconds > *longest && f.get("expiry_date") == f.lastDate(now) {
			return *longest, true
		}
		return seconds, true
	case choice == "after":
		n, err := strconv.ParseInt(f.get("expiry_n"), 10, 32)
		unit, known := map[string]int64{"minutes": 60, "hours": 3600, "days": 86400}[f.get("expiry_unit")]
		if err != nil || n < 1 || !known {
			f.wrong("expiry", "give a whole number of minutes, hours or days")
			return 0, false
		}
		return n * unit, true
	}
	return 0, false
}

// draft reads the form of a new token.
func (f *tokenForm) draft(now time.Time) counterfoil.Draft {
	d := counterfoil.Draft{Kind: f.kind, Integration: f.integration, Name: strings.TrimSpace(f.get("name"))}
	if f.integrates() {
		return d
	}
	d.Permissions, d.IPFilter = f.values["permissions"], f.get("ip_filter")
	in, chosen := f.chosenExpiry(now)
	if chosen && in > 0 {
		d.ExpiresIn = &in
	}
	return d
}

func (v *visit) createToken(s *shelf) error {
	f, err := v.tokenForm(s, newForm(v.r.PostForm), nil)
	if err != nil {
		return err
	}
	draft := f.draft(v.now())
	if f.get("expiry") == "never" && !f.integrates() && f.offer.Policy.DefaultLifetimeSeconds != nil {
		f.wrong("expiry", "the security policy gives every token an expiry")
	}
	if !f.bad() {
		caller := v.caller()
		if key := f.get("once"); key != "" { // sent twice, it makes one token
			sum := sha256.Sum256(fmt.Append(nil, draft.Kind, draft.Integration, draft.Name, draft.Permissions, f.get("expiry"), f.get("expiry_date"), f.get("expiry_n"), draft.IPFilter))
			caller.Once = &registry.Once{Key: key[:min(len(key), 64)], Digest: hex.EncodeToString(sum[:])}
		}
		created, err := v.c.Registry.CreateToken(v.r.Context(), caller, v.org(), draft)
		if err == nil {
			return v.show(200, "Save your token", revealPage(v, &reveal{shelf: s, token: &created.Token, secret: created.Secret, url: created.ActivityURL, dataCenter: created.DataCenter}))
		}
		var refusal *counterfoil.Error
		if errors.As(err, &refusal) && refusal.Code == counterfoil.CodeAlreadyCreated && refusal.Token != nil {
			return v.say(v.tokenPath(refusal.Token, ""), "warn", "This token was created already, and its value was shown then. If you have not kept it, rotate the token.", nil)
		}
		if !f.take(err, tokenFields) {
			return err
		}
	}
	return v.show(422, "New "+s.noun, newTokenPage(v, f))
}

// summary says in words what the form would make, while it is being filled in.
func (v *visit) summary() error {
	kind := counterfoil.Kind(v.field("kind"))
	for i := range shelves {
		if shelves[i].kind == kind {
			f, err := v.tokenForm(&shelves[i], newForm(v.r.PostForm), nil)
			if err != nil {
				return err
			}
			return v.show(200, "Summary", tokenSummary(v, f))
		}
	}
	return counterfoil.Refuse(counterfoil.CodeNotFound, "There is no such kind of token.")
}

// endWords says when a token of this form would expire.
func (f *tokenForm) endWords(now time.Time) string {
	in, chosen := f.chosenExpiry(now)
	if f.token != nil && (f.get("expiry") == "keep" || f.get("expiry") == "") {
		if f.token.EffectiveExpiresAt == nil {
			return "does not expire"
		}
		return "expires on " + date(*f.token.EffectiveExpiresAt) + ", as before"
	}
	if !chosen && f.fault("expiry") != "" {
		return "expires: choose when"
	}
	if !chosen {
		seconds := f.offer.Policy.DefaultLifetimeSeconds
		if seconds == nil {
			seconds = f.offer.Policy.MaxLifetimeSeconds
		}
		if seconds != nil {
			in, chosen = *seconds, true
		}
	}
	if in == 0 {
		return "does not expire"
	}
	at := now.Add(time.Duration(in) * time.Second)
	if in < 2*86400 {
		return "expires " + relative(now, at) + ", at " + at.UTC().Format("15:04 UTC on 2 January 2006")
	}
	return "expires on " + date(at) + ", " + relative(now, at)
}
