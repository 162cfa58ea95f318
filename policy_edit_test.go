package counterfoil

import (
	"encoding/json"
	"testing"
)

func TestPolicyEditJSON(t *testing.T) {
	for _, test := range []struct {
		name string
		edit PolicyEdit
		want string
	}{
		{"nothing", PolicyEdit{}, `{}`},
		{"one term", PolicyEdit{Allowed: new(false)}, `{"allowed":false}`},
		{"terms that end", PolicyEdit{MaxLifetimeSeconds: new(int64), DefaultLifetimeSeconds: new(int64), EnforcedIPFilter: new("")},
			`{"default_lifetime_seconds":null,"enforced_ip_filter":null,"max_lifetime_seconds":null}`},
		{"all of no policy", PolicyTerms{}.Edit(), `{"allowed":false,"custom_ip_filter_allowed":false,"default_lifetime_seconds":null,` +
			`"enforced_ip_filter":null,"expiry_required":false,"max_lifetime_seconds":null,"permission_updates_allowed":false}`},
		{"all of a policy", PolicyTerms{Allowed: true, MaxLifetimeSeconds: new(int64(9)), DefaultLifetimeSeconds: new(int64(8)), ExpiryRequired: true,
			EnforcedIPFilter: new("ipf_1"), CustomIPFilterAllowed: true, PermissionUpdatesAllowed: true}.Edit(),
			`{"allowed":true,"custom_ip_filter_allowed":true,"default_lifetime_seconds":8,"enforced_ip_filter":"ipf_1",` +
				`"expiry_required":true,"max_lifetime_seconds":9,"permission_updates_allowed":true}`},
	} {
		if got, err := json.Marshal(test.edit); err != nil || string(got) != test.want {
			t.Errorf("%s: %s, %v; want %s", test.name, got, err, test.want)
		}
	}
}

func TestPolicyEditSharesNothing(t *testing.T) {
	p := DefaultPolicy(KindPersonal)
	edit := p.Edit()
	*edit.MaxLifetimeSeconds, *edit.Allowed = 1, false
	if !p.Allowed || *p.MaxLifetimeSeconds == 1 {
		t.Errorf("the policy has become %+v", p)
	}
}
