package registry

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/usage"
)

// CorrectUsage says what should have been billed of an organization for a final month. The final figures stay; the difference
// is in the report of the month that runs, as adjustments.
func (r *Registry) CorrectUsage(ctx context.Context, c Caller, provider string, correction counterfoil.UsageCorrection) (counterfoil.UsageAdjustments, error) {
	if err := r.CloseUsage(ctx); err != nil {
		return counterfoil.UsageAdjustments{}, err
	}
	return create(r, ctx, c, provider, OpCorrectUsage, func(w *work) (made counterfoil.UsageAdjustments, _ string, err error) {
		if err := w.requireProvider(); err != nil {
			return made, "", err
		}
		made.Data, err = w.correctUsage(correction)
		return made, "", err
	})
}

func (w *work) correctUsage(c counterfoil.UsageCorrection) ([]counterfoil.Usage, error) {
	runs := w.tx.Now().Time().UTC().Format("2006-01")
	problems := w.correctionProblems(c, runs)
	stored, found, err := w.tx.UsageRow("m"+c.Month, c.Organization)
	if err != nil {
		return nil, err
	}
	if !found && len(problems) == 0 {
		problems = append(problems, invalid("/organization", "the provider has no final figures of this organization for "+c.Month))
	}
	if err := counterfoil.Invalid(problems); err != nil {
		return nil, err
	}
	var final counterfoil.Usage
	if err := json.Unmarshal([]byte(stored.Figures), &final); err != nil {
		return nil, err
	}
	earlier, err := w.tx.AdjustmentsOf("m"+c.Month, c.Organization)
	if err != nil {
		return nil, err
	}
	made, err := adjustmentsOf(earlier)
	if err != nil {
		return nil, err
	}
	rows := usage.Adjust(final, made, c, w.r.Plans)
	if len(rows) == 0 {
		return nil, counterfoil.Invalid([]counterfoil.Problem{invalid("/month", "nothing differs: "+c.Month+" was billed so already")})
	}
	var of store.Organization
	err = w.tx.In(c.Organization, func(tx *store.Tx) (err error) {
		of, _, err = tx.CurrentOrganization()
		return err
	})
	for i := range rows {
		if err == nil {
			err = w.adjust(&rows[i], of, runs)
		}
	}
	return rows, err
}

// adjust keeps an adjustment and writes its event: in the organization's log, which all of its usage comes from, and in the
// provider's.
func (w *work) adjust(row *counterfoil.Usage, of store.Organization, runs string) error {
	row.Month, row.Adjusts.ID, row.Adjusts.MadeAt = runs, store.NewID("adj"), w.tx.Now().Time()
	row.Organization = counterfoil.UsageOrganization{ID: of.ID, Name: of.Name, Status: string(of.Status)}
	switch {
	case of.Deleted:
		row.Organization.Status = "deleted"
	case manager(of) != w.tx.Organization():
		row.Organization.Status = "moved"
	}
	raw, err := json.Marshal(row)
	if err != nil {
		return err
	}
	err = w.tx.InsertAdjustment(store.UsageAdjustment{ID: row.Adjusts.ID, Period: "m" + runs, Organization: of.ID, Corrects: "m" + row.Adjusts.Month, Figures: string(raw)})
	if err != nil {
		return err
	}
	said := func() map[string]any {
		return map[string]any{"adjustment": row.Adjusts.ID, "provider_id": w.tx.Organization(), "month": row.Adjusts.Month, "reported_in": runs,
			"plan": row.Plan, "billable": row.Licenses.Billable, "reason": row.Adjusts.Reason, "billable_reason": row.BillableReason}
	}
	target, theirs := organizationTarget(of.Organization), said()
	w.recordFor(w.tx, "provider", "usage_adjusted", target, said())
	return w.tx.In(of.ID, func(tx *store.Tx) error {
		w.recordFor(tx, "provider", "usage_adjusted", target, theirs)
		return nil
	})
}

func (w *work) correctionProblems(c counterfoil.UsageCorrection, runs string) (problems []counterfoil.Problem) {
	if _, err := time.Parse("2006-01", c.Month); err != nil {
		problems = append(problems, invalid("/month", "give a month such as "+runs))
	} else if c.Month >= runs {
		problems = append(problems, invalid("/month", "this month is not final: what is changed in the organization counts by itself"))
	}
	switch {
	case (c.Billable == nil) == (c.License == ""):
		problems = append(problems, invalid("/billable", "give either billable or license"))
	case c.Billable != nil && *c.Billable < 0:
		problems = append(problems, invalid("/billable", "seats are billed, not owed"))
	case c.License != "" && !slices.Contains([]counterfoil.License{counterfoil.LicenseStandard, counterfoil.LicenseTrial, counterfoil.LicenseNFR}, c.License):
		problems = append(problems, invalid("/license", "the licences are standard, trial and nfr"))
	}
	if c.Plan != "" && !slices.Contains(w.r.Plans, c.Plan) {
		problems = append(problems, invalid("/plan", "the plans are "+strings.Join(w.r.Plans, ", ")))
	}
	if strings.TrimSpace(c.Reason) == "" || len(c.Reason) > 2000 || strings.ContainsFunc(c.Reason, unicode.IsControl) {
		problems = append(problems, invalid("/reason", "say why, in one line of text"))
	}
	return problems
}

// adjustmentsOf reads stored adjustments.
func adjustmentsOf(stored []store.UsageAdjustment) ([]counterfoil.Usage, error) {
	rows := make([]counterfoil.Usage, len(stored))
	for i, a := range stored {
		if err := json.Unmarshal([]byte(a.Figures), &rows[i]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}
