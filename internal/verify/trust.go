package verify

import (
	"context"
	"fmt"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/catalogue"
	"github.com/counterfoil/counterfoil/internal/store"
)

// standing reports whether what is in memory may be used, and since which epoch. When it does not follow from the log any
// more, it is forgotten first, by whoever notices; the others wait.
func (v *Verifier) standing(ctx context.Context) (epoch uint64, alive bool, err error) {
	epoch, alive = v.Store.Alive()
	if v.epoch.Load() >= epoch {
		return epoch, alive, nil
	}
	v.renewing.Lock()
	defer v.renewing.Unlock()
	known := v.epoch.Load()
	if known >= epoch {
		return epoch, alive, nil
	}
	if known != 0 {
		v.Purge()
		if err := v.renewCatalogue(ctx); err != nil {
			return 0, false, err
		}
	}
	v.epoch.Store(epoch)
	return epoch, alive, nil
}

// catalogueSetting is where the database keeps the catalogue in force.
const catalogueSetting = "catalogue"

// renewCatalogue puts the catalogue that the database holds in force, if another node has applied one. With none in the
// database the present one stays.
func (v *Verifier) renewCatalogue(ctx context.Context) error {
	for {
		present, known := v.Rules.InForce.Get()
		text, found, err := v.Store.Setting(ctx, catalogueSetting)
		v.reached("catalogue")
		if err != nil || !found || text == known {
			return err
		}
		parsed, err := parseStored(text)
		if err != nil {
			return err
		}
		if v.Rules.InForce.Replace(present, parsed, text) {
			return nil
		}
	}
}

// catalogueIn returns the catalogue that a read transaction sees.
func (v *Verifier) catalogueIn(tx *store.Tx) (*counterfoil.Catalogue, error) {
	present, known := v.Rules.InForce.Get()
	text, found, err := tx.Setting(catalogueSetting)
	v.reached("catalogue")
	if err != nil || !found || text == known {
		return present, err
	}
	return parseStored(text)
}

func parseStored(text string) (*counterfoil.Catalogue, error) {
	parsed, err := catalogue.Parse([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the catalogue in the database: %w", err)
	}
	return parsed, nil
}

// follow brings memory up to date with entries of the log that any node has written.
func (v *Verifier) follow(events []counterfoil.Event) error {
	strange := map[string]bool{} // organizations: once for all that a newer version did to one
	for i := range events {
		e := &events[i]
		switch {
		case e.Target.Kind == "catalogue":
			if err := v.renewCatalogue(context.Background()); err != nil {
				return err
			}
		case defectEviction:
		case !v.apply(e):
			strange[e.OrganizationID] = true
		}
	}
	for org := range strange {
		v.forget(org)
	}
	return nil
}

// Apply brings the caches up to date with one entry of the log. It must have returned before the change is acknowledged.
func (v *Verifier) Apply(e *counterfoil.Event) {
	if !v.apply(e) {
		v.forget(e.OrganizationID)
	}
}

// apply reports whether this version knows what an entry is about. What a later version adds, and verdicts go by, must be
// of a kind that this one does not know.
func (v *Verifier) apply(e *counterfoil.Event) (known bool) {
	switch e.Target.Kind {
	case "token":
		if id, ok := bareID(e.Target.ID); ok && e.Action != "token_refused" {
			v.cache.evict(id, e.Action == "token_revoked" || e.Action == "activities_token_revoked")
		}
	case "member":
		v.slots.emptyOwner(e.Target.ID, e.OrganizationID)
	case "organization", "policy", "ip_filter", "role":
		v.slots.emptyOrg(e.OrganizationID)
	case "catalogue", // see follow; whoever applies one puts it in force
		"", "session", "passkey", "export", "webhook", "provider_key": // no verdict goes by these
	default:
		return false
	}
	return true
}

// forget forgets all that is known of one organization; of the instance: everything.
func (v *Verifier) forget(org string) {
	if org == "" {
		v.Purge()
		return
	}
	v.slots.emptyWithin(org)
	v.cache.forget(org)
}

// Purge forgets everything.
func (v *Verifier) Purge() {
	v.Rules.Forget()
	v.cache.purge()
	v.slots.emptyAll()
}
