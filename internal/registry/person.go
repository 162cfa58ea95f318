package registry

import (
	"context"
	"net/netip"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
)

// StepUp is how long, in seconds, the proof of who somebody is counts for what wants a fresh one.
const StepUp = 10 * 60

// ErrStepUp refuses a person who has to prove again who they are. It is a face's business to ask, never shown to a token.
var ErrStepUp = counterfoil.Refuse(counterfoil.CodeMissingCredentials, "Confirm that it is you: this needs a sign-in of the last 10 minutes.")

var errSessionEnded = counterfoil.Refuse(counterfoil.CodeMissingCredentials, "Your session has ended. Sign in again.")

// key names the caller where its requests are told from others': for a person their session.
func (c *Caller) key() string {
	switch {
	case c.Session != "":
		return c.Session
	case c.ProviderKey != "":
		return c.Provider // a request may be repeated with the next key
	}
	return c.TokenID
}

// admitPerson judges a signed-in person: their session is live and theirs, they are an active member here, and their
// roles hold what the operation asks for.
func (r *Registry) admitPerson(w *work, op *Operation) (err error) {
	if w.rules == nil {
		return errNotFound
	}
	if w.member, err = w.session(w.rules); err != nil {
		return err
	}
	w.holds = w.rules.Holder(w.member).Permissions
	if op.Permission != "" && !op.Own && !w.holds.Has(op.Permission) {
		return counterfoil.Refuse(counterfoil.CodeMissingPermission, "This needs the permission "+op.Permission+", which your roles here do not hold. An owner of the organization can change your roles.")
	}
	return w.stepUp(op)
}

// session finds whose session the caller's is: an active member of the organization that the transaction is bound to, which
// is active itself. What one organization vouched for opens that alone.
func (w *work) session(own *rules.Compiled) (m store.Member, err error) {
	session, found, err := w.tx.Session(w.caller.Session)
	if err != nil {
		return m, err
	}
	if !found || session.EndsAt <= w.tx.Now() {
		return m, errSessionEnded
	}
	if session.Organization != "" && session.Organization != w.tx.Organization() {
		return m, errNotFound
	}
	if m, found, err = w.tx.Member(w.caller.Member); err != nil {
		return store.Member{}, err
	}
	if !found || m.UserID != session.User || m.Status != counterfoil.MemberActive {
		return store.Member{}, errNotFound
	}
	if own.Org.Status != counterfoil.OrgActive {
		return store.Member{}, counterfoil.Refuse(counterfoil.CodeOrganizationSuspended, "This organization is suspended.")
	}
	w.confirmed = session.ConfirmedAt
	return m, nil
}

// stepUp asks a person for a fresh proof of who they are, where a change wants it.
func (w *work) stepUp(op *Operation) error {
	if op.StepUp && w.changes && w.confirmed.Plus(StepUp) <= w.tx.Now() {
		return ErrStepUp
	}
	return nil
}

// lockOutPerson refuses a change of the rules by which an IP filter would begin to refuse the address that the person is
// at, unless they say that this is meant (H5).
func (w *work) lockOutPerson(next *rules.Compiled) error {
	ip := w.caller.Attempt.IP
	for _, p := range next.Policies {
		now := next.Rules.Policy(p.Kind)
		if now == nil || now.EnforcedIPFilter == nil {
			continue
		}
		was := w.rules.Rules.Policy(p.Kind)
		id := *now.EnforcedIPFilter
		same := was != nil && was.EnforcedIPFilter != nil && *was.EnforcedIPFilter == id && w.rules.Filters[id] == next.Filters[id]
		if !same && !allows(next, id, ip) {
			return errLockOut
		}
	}
	for id, filter := range next.Filters {
		if filter != w.rules.Filters[id] && !allows(next, id, ip) {
			return errLockOut
		}
	}
	return nil
}

var errLockOut = counterfoil.Refuse(counterfoil.CodeWouldLockOut, "This would refuse the address that you are using now. Save it all the same if that is meant.")

func allows(c *rules.Compiled, filter string, ip netip.Addr) bool {
	rules, ok := c.Filters[filter]
	if !ok || rules == nil {
		return false
	}
	allowed, _, _ := rules.Decide(ip)
	return allowed
}

// Holds returns what the caller may do in its organization now, for faces that show only what can be done.
func (r *Registry) Holds(ctx context.Context, c Caller) (holds counterfoil.Permissions, err error) {
	err = r.view(ctx, c, c.Organization, OpReadRights, func(w *work) error {
		holds = w.holds
		return nil
	})
	return holds, err
}

// TokenCounts are the cards above a list of tokens.
type TokenCounts = store.TokenCounts

// soonDays and unusedDays are what "expires soon" and "unused" mean in lists and counts.
const (
	soonDays   = 14
	unusedDays = 90
	daySeconds = 24 * 60 * 60
)

// CountTokens counts what ListTokens would list with the same query: how many are active, how many of these expire within
// 14 days, and how many were not used for 90.
func (r *Registry) CountTokens(ctx context.Context, c Caller, org string, q TokenQuery) (counts TokenCounts, err error) {
	err = r.view(ctx, c, org, OpListTokens, func(w *work) error {
		f, ok, err := w.tokenFilter(q)
		if err != nil || !ok {
			return err
		}
		counts, err = w.tx.CountTokens(f, w.tx.Now().Plus(soonDays*daySeconds), w.tx.Now().Plus(-unusedDays*daySeconds))
		return err
	})
	return counts, err
}

// TokenUse is how often a token was accepted on one day (UTC) from one address; IP is empty where none was named.
type TokenUse = store.UseDay

// TokenUses returns the accepted checks of a token in the last 30 days, latest day first.
func (r *Registry) TokenUses(ctx context.Context, c Caller, org, id string) (uses []TokenUse, err error) {
	_ = r.writeNotedUses() // what cannot be written now is told a little later
	err = r.view(ctx, c, org, OpReadToken, func(w *work) error {
		t, found, err := w.tx.Token(id)
		if err != nil {
			return err
		}
		if !found || !w.maySee(t) {
			return errNotFound
		}
		uses, err = w.tx.UsesOf(id, w.tx.Now().Plus(-30*daySeconds))
		return err
	})
	return uses, err
}

// Offer is what a form for a token of a kind can offer the caller. The operation that it leads to decides afresh.
type Offer struct {
	Policy      counterfoil.Policy
	Permissions []counterfoil.Permission // what the caller may hand on to this kind, and the organization can use or the token has
	Withheld    int                      // how many more of these the kind may hold
	IPFilters   []counterfoil.IPFilter   // empty unless the caller may read them and the policy allows a token its own
}

// Usable reports whether a permission is of use to an organization: without managed organizations some open nothing.
func Usable(permission string, provider bool) bool {
	return provider || permission != counterfoil.PermProviderKeysWrite && permission != counterfoil.PermUsageRead
}

// Offer says what the caller's tokens of a kind may get; held is what the one that is edited has.
func (r *Registry) Offer(ctx context.Context, c Caller, kind counterfoil.Kind, held counterfoil.Permissions) (o Offer, err error) {
	err = r.view(ctx, c, c.Organization, OpReadRights, func(w *work) error {
		policy, ok := w.rules.StoredPolicy(kind)
		if !ok {
			return errNotFound
		}
		o.Policy = policy.Policy
		may, grants := w.rules.Catalogue.ForKind(kind), w.grantsTo(kind)
		for _, p := range w.rules.Catalogue.Permissions() {
			switch {
			case !may.Has(p.Name), !Usable(p.Name, w.rules.Org.Provider) && !held.Has(p.Name):
			case grants.Has(p.Name):
				o.Permissions = append(o.Permissions, p)
			default:
				o.Withheld++
			}
		}
		if policy.CustomIPFilterAllowed && w.has(counterfoil.PermIPFiltersRead) {
			for _, f := range w.rules.IPFilters {
				o.IPFilters = append(o.IPFilters, f.IPFilter)
			}
		}
		return nil
	})
	return o, err
}
