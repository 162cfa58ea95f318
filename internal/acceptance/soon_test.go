package acceptance

import (
	"net/url"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// expiresSoon: every check of a token that expires within 14 days says so in a header, and no other does.
func expiresSoon(t *testing.T, o *tenant) {
	const day = 24 * time.Hour
	soon, late, never := o.draftWith(t, 14*day-time.Minute), o.draftWith(t, 14*day+time.Hour), o.orgToken(t)
	asker := o.systemToken(t, counterfoil.PermTokensVerify) // it never expires
	for _, test := range []struct {
		name  string
		token made
		want  bool
	}{{"within 14 days", soon, true}, {"in more than 14 days", late, false}, {"never", never, false}} {
		form := "token=" + url.QueryEscape(test.token.secret)
		for surface, a := range map[string]answer{
			"forward authentication": o.ask(t, test.token.secret, "GET /v1/authorize", ""),
			"the check":              o.world.ask(t, asker.secret, "POST /v1/verify", question(test.token.secret)),
			"introspection":          o.world.ask(t, asker.secret, "POST /oauth2/introspect", form, "Content-Type", "application/x-www-form-urlencoded"),
			"this API":               o.ask(t, test.token.secret, "GET /v1/tokens/current", ""),
			"this API, refusing":     o.ask(t, test.token.secret, "GET permissions?nothing=1", ""),
		} {
			said := a.header.Get("Token-Expires-Soon")
			at, err := time.Parse(time.RFC3339, said)
			if test.want && (err != nil || (time.Until(at)-14*day).Abs() > 2*time.Minute) || !test.want && said != "" {
				t.Errorf("a token that expires %s: %s says %q", test.name, surface, said)
			}
		}
	}
	refused := o.world.ask(t, asker.secret, "POST /v1/verify", question(soon.secret, "permission", "devices:read"))
	if said := refused.header.Get("Token-Expires-Soon"); said != "" || refused.at("active") != "false" {
		t.Errorf("a refused token's expiry is told: %q, %s", said, refused)
	}
}
