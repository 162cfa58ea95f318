package console

import (
	"errors"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// revokeMany revokes the chosen tokens: asked first, then done, each with an answer of its own.
func (v *visit) revokeMany() error {
	ids := v.r.PostForm["token"]
	back := v.path("/all-tokens")
	if b := local(v.field("back")); strings.HasPrefix(b, back) {
		back = b
	}
	if len(ids) == 0 || len(ids) > 200 {
		return v.say(back, "warn", "Choose the tokens first, at most 200 at a time.", nil)
	}
	var chosen []bulkToken
	for _, id := range ids {
		t, err := v.c.Registry.Token(v.r.Context(), v.caller(), v.org(), id)
		if errors.Is(err, counterfoil.Refuse(counterfoil.CodeNotFound, "")) {
			continue
		}
		if err != nil {
			return err
		}
		chosen = append(chosen, bulkToken{Token: t})
	}
	if v.field("step") != "revoke" {
		for i := range chosen {
			uses, err := v.c.Registry.TokenUses(v.r.Context(), v.caller(), v.org(), chosen[i].ID)
			if err != nil {
				return err
			}
			for _, u := range uses {
				chosen[i].uses += u.Count
			}
		}
		return v.show(200, "Revoke tokens", revokeManyPage(v, chosen, back))
	}
	for i := range chosen {
		revoked, err := v.c.Registry.RevokeToken(v.r.Context(), v.caller(), v.org(), chosen[i].ID, v.field("reason"))
		if err != nil {
			f := filled()
			if !f.take(err, nil) {
				f.other = []string{"The service failed; look at the token again."}
				v.c.Logger.Error("revoking one of several tokens", "error", err)
			}
			chosen[i].outcome, chosen[i].failed = strings.Join(f.other, " "), true
			continue
		}
		chosen[i].outcome = "Revoked. " + receiptWords(&revoked.Receipt)
	}
	return v.show(200, "Tokens revoked", revokedManyPage(v, chosen, back))
}

// bulkToken is one of several tokens that are revoked together.
type bulkToken struct {
	counterfoil.Token
	uses    int64 // in the last 30 days
	outcome string
	failed  bool
}
