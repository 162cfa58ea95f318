package counterfoiltest_test

import (
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

func TestStart(t *testing.T) {
	s := counterfoiltest.Start(t)
	owner, err := s.Client().CurrentToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if owner.Owner == nil || owner.Owner.ID != s.Owner.ID {
		t.Errorf("the owner's token belongs to %+v, want %s", owner.Owner, s.Owner.ID)
	}
	m, c := s.Member(t, "operator")
	if got, err := c.CurrentToken(t.Context()); err != nil || got.ID != m.Token.Token.ID || !got.EffectivePermissions.Has("devices:write") {
		t.Errorf("the member's token is %+v, %v", got, err)
	}
	made := s.Token(t, "devices:read")
	s.Restart()
	v, err := s.System().Verify(t.Context(), counterfoil.Question{Token: made.Secret, Endpoint: "GET /api/devices/7"})
	if err != nil || !v.Active || v.Organization.ID != s.Organization.ID {
		t.Errorf("after a restart the verdict is %+v, %v", v, err)
	}
	other := s.NewOrganization(t, "Other")
	if _, err := other.Client().Organization(t.Context(), s.Organization.ID); err == nil {
		t.Error("another organization's owner sees this one")
	}
}
