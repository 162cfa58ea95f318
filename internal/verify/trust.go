package verify

import (
	"context"
	"fmt"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/catalogue"
)

// standing reports whether what is in memory may be used, and since which epoch. When another server may have written
// since it was read, it is forgotten first, by whoever notices; the others wait.
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

// renewCatalogue puts the catalogue that the database holds in force, if another server has applied one. With none in the
// database the present one stays.
func (v *Verifier) renewCatalogue(ctx context.Context) error {
	for {
		present := v.Rules.InForce.Catalogue()
		text, found, err := v.Store.Setting(ctx, catalogueSetting)
		v.reached("catalogue")
		if err != nil || !found {
			return err
		}
		if last := v.renewed.Load(); last != nil && last.text == text && last.catalogue == present {
			return nil
		}
		parsed, err := catalogue.Parse([]byte(text))
		if err != nil {
			return fmt.Errorf("the catalogue in the database: %w", err)
		}
		if v.Rules.InForce.Replace(present, parsed) {
			v.renewed.Store(&renewedCatalogue{text, parsed})
			return nil
		}
	}
}

// renewedCatalogue is the catalogue that was last read from the database here.
type renewedCatalogue struct {
	text      string
	catalogue *counterfoil.Catalogue
}

// Apply brings the caches up to date with one entry of the log. It must have returned before the change is acknowledged.
func (v *Verifier) Apply(e *counterfoil.Event) {
	switch e.Target.Kind {
	case "token":
		if id, ok := bareID(e.Target.ID); ok && e.Action != "token_refused" {
			v.cache.evict(id, e.Action == "token_revoked" || e.Action == "activities_token_revoked")
		}
	case "member":
		v.slots.emptyOwner(e.Target.ID, e.OrganizationID)
	case "organization", "policy", "ip_filter", "role":
		v.slots.emptyOrg(e.OrganizationID)
	}
}

// Purge forgets everything.
func (v *Verifier) Purge() {
	v.cache.purge()
	v.slots.emptyAll()
}
