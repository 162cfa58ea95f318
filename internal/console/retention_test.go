package console_test

import (
	"context"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// TestRetention: the page says what a shorter retention removes, asks, and is an owner's.
func TestRetention(t *testing.T) {
	d := newDesk(t)
	ctx := context.Background()
	owner := d.sits(d.Owner.ID)
	stored := func() counterfoil.Retention {
		return must[counterfoil.Retention](t)(d.System().Retention(ctx, d.Organization.ID))
	}
	owner.get("/retention").says(200, "Now: for ever.", "Nothing that is in the log now would be removed.", "Default: for ever")
	owner.post("/retention", "keep", "after", "keep_n", "29").says(422, "Give at least 30 days and at most 36,500.")
	owner.post("/retention", "keep", "after", "keep_n", "soon").says(422, "Give at least 30 days")
	owner.post("/retention").says(422, "Choose one.")
	owner.does("/retention", "keep", "after", "keep_n", "400").says(200, "Saved. The log is kept for 400 days.", "Now: for 400 days.")
	if got := stored(); got.EffectiveDays != 400 {
		t.Fatalf("stored %+v", got)
	}

	year := int64(365 * 24 * 60 * 60)
	lasting := must[counterfoil.Created](t)(d.System().CreateToken(ctx, client.System, counterfoil.Draft{Name: "lasting", Permissions: counterfoil.NewPermissions(must[counterfoil.Token](t)(d.System().CurrentToken(ctx)).Permissions...), ExpiresIn: &year}))
	d.SystemToken = lasting.Secret
	d.later.Add((100 * 24 * time.Hour).Microseconds())
	owner = d.sits(d.Owner.ID) // the session before has ended
	owner.post("/retention/check", "keep", "after", "keep_n", "60").says(200, "would be removed from the log, for good", "Remove them: nobody can bring them back")
	owner.post("/retention/check", "keep", "after", "keep_n", "120").says(200, "Nothing that is in the log now would be removed.")
	owner.post("/retention", "keep", "after", "keep_n", "60").says(409, "Say that they may go: nothing is saved yet.")
	if got := stored(); got.EffectiveDays != 400 {
		t.Fatalf("saved without a yes: %+v", got)
	}
	owner.does("/retention", "keep", "after", "keep_n", "60", "remove", "yes").says(200, "The log is kept for 60 days.")
	owner.does("/retention", "keep", "ever").says(200, "The log is kept for ever.")
	owner.does("/retention", "keep", "instance").says(200, "The log is kept for ever.")
	if got := stored(); got.Days != nil {
		t.Errorf("as the instance does: %+v", got)
	}

	d.later.Add((11 * time.Minute).Microseconds())
	owner.post("/retention", "keep", "after", "keep_n", "400").says(200, "Confirm that it is you")
	admin, _ := d.Member(t, "admin")
	sits := d.sits(admin.ID)
	sits.get("/retention").says(200, "Only an owner of the organization decides")
	sits.post("/retention", "keep", "after", "keep_n", "400").says(422, "Only an owner decides for how long the log is kept.")
	plain, _ := d.Member(t, "member")
	d.sits(plain.ID).get("/retention").says(403, "counterfoil.organizations:read")
}
