package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/catalogue"
)

// catalogueSetting is where the database keeps the catalogue in force, as the text it was applied as.
const catalogueSetting = "catalogue"

// GrantablePermission is a row of the catalogue with whether the caller may put it on a token of its kinds.
type GrantablePermission struct {
	counterfoil.Permission
	Grantable bool `json:"grantable" doc:"Whether the caller holds it and so may hand it on."`
}

// Permissions lists the catalogue for an organization.
func (r *Registry) Permissions(ctx context.Context, c Caller, org string) (list []GrantablePermission, err error) {
	err = r.view(ctx, c, org, OpListPermissions, func(w *work) error {
		grants := w.grants()
		if w.member.ID != "" {
			grants = w.grantsTo(counterfoil.KindPersonal)
		}
		for _, p := range w.under().Catalogue.Permissions() {
			list = append(list, GrantablePermission{p, grants.Has(p.Name) && len(p.Kinds) > 0})
		}
		return nil
	})
	return list, err
}

// LoadCatalogue puts the catalogue that the database holds in force in this process. The server calls it before it
// serves.
func (r *Registry) LoadCatalogue(ctx context.Context) error {
	for {
		present, known := r.Rules.InForce.Get()
		text, found, err := r.Store.Setting(ctx, catalogueSetting)
		if err != nil || !found || text == known {
			return err
		}
		parsed, err := catalogue.Parse([]byte(text))
		if err != nil {
			return fmt.Errorf("the catalogue in the database: %w", err)
		}
		if r.Rules.InForce.Replace(present, parsed, text) {
			return nil
		}
	}
}

// Catalogue returns the text of the catalogue in force; empty when none was applied.
func (r *Registry) Catalogue(ctx context.Context, c Caller) (text string, err error) {
	err = r.view(ctx, c, "", OpReadCatalogue, func(w *work) error {
		text, _, err = w.tx.Setting(catalogueSetting)
		return err
	})
	return text, err
}

// ApplyCatalogue puts a catalogue in force on every organization at once; false: it is in force already. One that has
// mistakes is refused with all of them, by line, and the old one stays.
func (r *Registry) ApplyCatalogue(ctx context.Context, c Caller, text string) (applied bool, receipt counterfoil.Receipt, err error) {
	parsed, err := catalogue.Parse([]byte(text))
	if err != nil {
		var mistakes *catalogue.Error
		if !errors.As(err, &mistakes) {
			return false, receipt, err
		}
		var problems []counterfoil.Problem
		for _, p := range mistakes.Problems {
			detail := p.Detail
			if p.Line > 0 { // 0: the file as a whole
				detail = fmt.Sprintf("line %d: %s", p.Line, p.Detail)
			}
			problems = append(problems, invalid("/source", detail))
		}
		return false, receipt, counterfoil.Invalid(problems)
	}
	r.applying.Lock()
	defer r.applying.Unlock()
	receipt, err = r.do(ctx, c, "", OpApplyCatalogue, func(w *work) error {
		applied = false
		before, _, err := w.tx.Setting(catalogueSetting)
		if err != nil || before == text {
			return err
		}
		if err := w.tx.SetSetting(catalogueSetting, text); err != nil {
			return err
		}
		applied = true
		w.record("catalogue", "catalogue_applied", counterfoil.Target{Kind: "catalogue", ID: "catalogue", Name: "catalogue"},
			map[string]any{"permissions": len(parsed.Permissions()), "roles": len(parsed.Roles())})
		return nil
	})
	if applied || r.catalogueInDoubt.Load() || errors.Is(err, counterfoil.Refuse(counterfoil.CodeUnavailable, "")) {
		// From here on no rule compiled under the old one is used. Another node may have applied one since: what is in the
		// database counts.
		loaded := r.LoadCatalogue(ctx)
		r.catalogueInDoubt.Store(loaded != nil || err != nil)
		err = cmp.Or(err, loaded)
	}
	return applied, receipt, err
}

// Tick does what waits: it writes completed receipts, and finds out which catalogue is in force after a commit whose
// outcome was unknown. The server calls it about once a second.
func (r *Registry) Tick(ctx context.Context) error {
	r.applyDoubtful()
	if r.catalogueInDoubt.Load() {
		r.applying.Lock()
		err := r.LoadCatalogue(ctx)
		if err == nil {
			r.catalogueInDoubt.Store(false)
		}
		r.applying.Unlock()
		if err != nil {
			return err
		}
	}
	return r.WriteReceipts(ctx)
}
