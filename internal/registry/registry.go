// Package registry is every operation that a caller may ask for: tokens, policies, IP filters, roles, members,
// organizations, the catalogue. Each goes through one funnel, do: may the caller, act, record, in one transaction. It
// refuses to know HTTP or pages, and it caches no verdict: whoever does is told of every change before it is
// acknowledged.
package registry

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/export"
	"github.com/counterfoil/counterfoil/internal/ledger"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verifiers"
	"github.com/counterfoil/counterfoil/internal/webhooks"
	"github.com/counterfoil/counterfoil/judge"
)

// Config is what a Registry needs. Store, Keys, Prefix, Rules and Applied are required.
type Config struct {
	Store  *store.Store
	Keys   *secret.Keyring
	Prefix string // of this instance's tokens
	Rules  *rules.Cache
	// Applied is told of every event of a committed change, or of one whose outcome is unknown, before the operation
	// returns. Whoever caches records forgets them here.
	Applied func(*counterfoil.Event)
	// Ledger keeps beside the database what was ended for good; nil: nobody does.
	Ledger *ledger.Ledger
	// Exports deliver the log elsewhere; nil: nobody does, and the operations on exports may not be called.
	Exports *export.Pusher
	// WebhookSender sends to the webhooks that are made here; nil: nobody does, and the operations on webhooks may not be
	// called.
	WebhookSender *webhooks.Sender
	// NotedUses and NotedRefusals are asked to write what was noted, before it is read. They may be nil.
	NotedUses     func() error
	NotedRefusals func()

	// Confirmed is told how long each change that narrows took until every node had taken note of it. It may be nil.
	Confirmed func(took time.Duration)
	// Verifiers are fed by this node, and waited for; nil: nobody is.
	Verifiers *verifiers.Set

	Plans       []string          // in rising order
	DataCenter  string            // this instance's own
	DataCenters map[string]string // the others, with their base URLs
	URL         string            // the base URL of this data centre
	ConsoleURL  string            // where browsers reach the console; default URL
	KeepDays    int               // of the log, of those who have not said; 0: for ever
	Logger      *slog.Logger
}

// Registry is safe for concurrent use.
type Registry struct {
	Config
	receipts  receipts
	unapplied unapplied
	feeds     atomic.Bool // rememberVerifiers has been

	applying         sync.Mutex // one catalogue at a time, so that what is in force is what was committed last
	catalogueInDoubt atomic.Bool
	doubtful         doubtful
	retaining        retaining
	closing          closing
}

// New makes a Registry.
func New(c Config) *Registry {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Applied == nil {
		panic("registry: nobody would be told of changes")
	}
	return &Registry{Config: c}
}

// Operation is one row of what callers may ask for. Faces show it; do enforces it.
type Operation struct {
	Name       string
	Permission string             // what the caller must hold
	Kinds      []counterfoil.Kind // of credentials that may ask
	Own        bool               // also open without Permission, for a member's own tokens
	Narrows    bool               // may narrow what is accepted: it has a receipt
	StepUp     bool               // of a person it wants a fresh proof of who they are
	lock       store.Lock
}

// work is one operation under way.
type work struct {
	r        *Registry
	tx       *store.Tx
	caller   Caller
	holds    counterfoil.Permissions // what the caller's credential may do now
	member   store.Member            // of a personal caller; zero for a visitor, who is none here
	visitor  *visitor                // a provider's person who acts here; nil: the caller is none
	snapshot counterfoil.Permissions // of a caller's token: what it was granted
	rules    *rules.Compiled         // of the organization that is worked on; nil when it does not exist yet
	provider *store.Organization     // whose key or person acts here; nil: the organization's own does

	confirmed counterfoil.Instant // when the person of a session last proved who they are
	match     counterfoil.Match   // of the caller's value, as it compares now
	changes   bool                // what the operation was asked to do is to be written
	receiptID string              // set by an operation that stores its receipt's id
	dead      []ledger.Entry      // what this ends for good
}

func (w *work) has(permission string) bool { return w.caller.operator || w.holds.Has(permission) }

func (w *work) system() bool { return w.caller.Kind == counterfoil.KindSystem }

// manages reports whether the caller decides for the provider of this organization: its key does, and its owners and admins.
func (w *work) manages() bool {
	return w.provider != nil && w.provider.ID != w.tx.Organization() && (w.visitor == nil || w.visitor.reach == rules.ReachAll)
}

// isOwner reports whether the caller may act on owners: it is one, or it belongs to the instance or is the provider's key.
// A provider's owner or admin is an admin here, until the organization has an active owner.
func (w *work) isOwner() bool {
	if w.visitor != nil {
		return w.visitor.founds
	}
	return w.system() || w.manages() || slices.Contains(w.member.Roles, counterfoil.RoleOwner)
}

// grants is what the caller may hand on: what its credential holds; for the instance's own, everything.
func (w *work) grants() counterfoil.Permissions {
	if w.system() {
		return w.r.Rules.InForce.Catalogue().All()
	}
	return w.holds
}

var (
	errNotFound = counterfoil.Refuse(counterfoil.CodeNotFound, "There is nothing here, or it is not yours to see.")
	errMissing  = counterfoil.Refuse(counterfoil.CodeMissingPermission, judge.Message(counterfoil.CodeMissingPermission))
)

// lacking refuses for want of one permission.
func lacking(permission string) error {
	return counterfoil.Refuse(counterfoil.CodeMissingPermission, judge.Lacking(permission))
}

// do is the funnel of every change: allow, act, record, in one transaction; then whoever caches is told, here and, of what
// narrows, on every node, and only then the caller. When the outcome of the commit is unknown, caches forget as if it had
// happened.
func (r *Registry) do(ctx context.Context, c Caller, org string, op *Operation, fn func(w *work) error) (counterfoil.Receipt, error) {
	if err := r.admissible(c, org, op); err != nil {
		return counterfoil.Receipt{}, err
	}
	if len(c.Faults) > 0 {
		return counterfoil.Receipt{}, r.faulty(ctx, c, org, op, fn)
	}
	var receipt counterfoil.Receipt
	var last *store.Tx
	var dead []ledger.Entry
	var missed bool
	epoch, _ := r.Store.Alive()
	applied := func() {}
	defer func() { applied() }()
	err := r.Store.Update(ctx, org, op.lock, func(tx *store.Tx) error {
		last, receipt = tx, counterfoil.Receipt{}
		w := &work{r: r, tx: tx, caller: c, changes: true}
		if err := r.admit(w, op); err != nil {
			return err
		}
		missed = !r.Rules.Known(w.rules)
		if err := fn(w); err != nil {
			return err
		}
		dead = w.dead
		if len(tx.Appended()) > 0 {
			applied() // of the attempt before
			applied = r.unapplied.begin()
		}
		if op.Narrows && len(tx.Appended()) > 0 {
			if w.receiptID == "" {
				w.receiptID = store.NewID("rcp")
			}
			receipt = counterfoil.Receipt{ID: w.receiptID, RevokedAt: tx.Now().Time(), Nodes: []counterfoil.ReceiptNode{}}
			return w.saveReceipt(receipt)
		}
		return nil
	})
	if last != nil && (err == nil || !errors.As(err, new(*counterfoil.Error)) || errors.Is(err, counterfoil.Refuse(counterfoil.CodeUnavailable, ""))) {
		committed := time.Now()
		events := last.Appended()
		if err != nil {
			events = unsure(events)
			r.doubt(events)
		}
		for i := range events {
			r.Applied(&events[i])
		}
		r.applyDoubtful()
		applied()
		if err == nil {
			here := time.Since(committed)
			r.keepDead(dead)
			if op.Narrows {
				receipt, err = r.confirm(ctx, org, receipt, confirming{committed, here, last.Logged()})
			}
			for err == nil && len(dead) > 0 {
				now, _ := r.Store.Alive()
				if now == epoch {
					break
				}
				// The database may be another than it was committed to; the receipt is of that one. What is found as the ledger says may
				// just have been made so by somebody else, and is waited for.
				epoch = now
				r.awaitLife()
				if _, err = r.KeepLedger(ctx); err == nil {
					_, err = r.confirm(ctx, org, counterfoil.Receipt{}, confirming{committed: time.Now()})
				}
			}
		}
	}
	if err == nil && missed {
		r.remember(ctx, org)
	}
	return receipt, err
}

// awaitLife waits until this node is alive, without which it writes nothing, or has not been for long.
func (r *Registry) awaitLife() {
	for began := time.Now(); time.Since(began) < 2*store.MaxLease; time.Sleep(10 * time.Millisecond) {
		if _, alive := r.Store.Alive(); alive {
			return
		}
	}
}

// faulty answers a request of bad form: it finds what is wrong with the rest as well, where nothing can be written.
func (r *Registry) faulty(ctx context.Context, c Caller, org string, op *Operation, fn func(w *work) error) error {
	var found error
	err := r.Store.View(ctx, org, func(tx *store.Tx) error {
		w := &work{r: r, tx: tx, caller: c, changes: true}
		if err := r.admit(w, op); err != nil {
			return err
		}
		found = fn(w) // it ends with a refusal or at its first write
		return nil
	})
	if err != nil {
		return err
	}
	if !errors.As(found, new(*counterfoil.Error)) || errors.Is(found, counterfoil.Refuse(counterfoil.CodeUnavailable, "")) {
		found = nil
	}
	return c.withFaults(found)
}

// remember reads the organization's rules as they are committed, so that the next write need not compile them. What fails, or takes
// longer than a database that is far away does, costs that write its time and nothing else.
func (r *Registry) remember(ctx context.Context, org string) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	err := r.Store.View(ctx, org, func(tx *store.Tx) error {
		_, err := r.Rules.Committed(tx)
		return err
	})
	if err != nil {
		r.Logger.Debug("remembering rules", "error", err)
	}
}

// view is the funnel of every question.
func (r *Registry) view(ctx context.Context, c Caller, org string, op *Operation, fn func(w *work) error) error {
	if err := r.admissible(c, org, op); err != nil {
		return err
	}
	return r.Store.View(ctx, org, func(tx *store.Tx) error {
		w := &work{r: r, tx: tx, caller: c}
		if err := r.admit(w, op); err != nil {
			return err
		}
		return c.withFaults(fn(w))
	})
}

// withFaults joins what the operation found wrong with the faults of form; other refusals go first.
func (c Caller) withFaults(err error) error {
	if len(c.Faults) == 0 {
		return err
	}
	var refusal *counterfoil.Error
	switch {
	case err == nil:
		return counterfoil.Invalid(c.Faults)
	case errors.As(err, &refusal) && len(refusal.Problems) > 0:
		return counterfoil.Invalid(merge(slices.Clone(c.Faults), refusal.Problems))
	}
	return err
}

// record appends an event about target; what a provider's person does is in the provider's log as well.
func (w *work) record(typ, action string, target counterfoil.Target, metadata map[string]any) {
	if w.visitor != nil {
		_ = w.tx.In(w.provider.ID, func(tx *store.Tx) error { // which cannot fail
			ours := map[string]any{"organization": map[string]any{"id": w.rules.Org.ID, "name": w.rules.Org.Name}}
			maps.Copy(ours, metadata)
			w.recordFor(tx, typ, action, target, ours)
			return nil
		})
	}
	w.recordFor(w.tx, typ, action, target, metadata)
}

// Resolve finds the organization that a path names: an id, a slug, or "current" for the caller's own. A provider's person
// finds those in which they act as well. What does not exist and what is another's are the same answer.
func (r *Registry) Resolve(ctx context.Context, c Caller, name string) (string, error) {
	if c.Kind == counterfoil.KindProvider {
		id, found, err := r.Store.ResolveManaged(ctx, c.Provider, name)
		if err == nil && !found {
			err = errNotFound
		}
		return id, err
	}
	if name == "current" {
		if c.Organization == "" {
			return "", errNotFound
		}
		return c.Organization, nil
	}
	if name == c.Organization && name != "" {
		return name, nil
	}
	if c.Kind == counterfoil.KindSystem && r.Rules.Has(name) {
		return name, nil // one that was deleted since is refused with its rules
	}
	id, found, err := r.Store.ResolveOrganization(ctx, name)
	if err != nil {
		return "", err
	}
	switch {
	case found && (c.Kind == counterfoil.KindSystem || id == c.Organization):
		return id, nil
	case c.Kind == counterfoil.KindPersonal:
		return r.resolveVisit(ctx, c, name)
	}
	return "", errNotFound
}
