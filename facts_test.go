package counterfoil_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// A verifier of an older version passes over a member that it does not know, and could say yes wrongly. Whoever adds one here that
// a judgement goes by raises FactsFormat with it.
func TestFactsFormat(t *testing.T) {
	var got []string
	members(reflect.TypeFor[counterfoil.Facts](), "", &got)
	slices.Sort(got)
	const format = 1
	wanted := strings.Fields(`catalogue.permissions[].default catalogue.permissions[].description catalogue.permissions[].endpoints[]
		catalogue.permissions[].group catalogue.permissions[].kinds[] catalogue.permissions[].name catalogue.permissions[].title
		catalogue.version filters[].id filters[].rules format organization.active organization.id
		organization.policies[].allowed organization.policies[].custom_ip_filter_allowed organization.policies[].default_lifetime_seconds
		organization.policies[].enforced_ip_filter organization.policies[].expiry_required organization.policies[].kind
		organization.policies[].max_lifetime_seconds organization.policies[].permission_updates_allowed organization.slug
		organization.version owner.active owner.email owner.id owner.permissions[] previous token.expires_at token.id
		token.integration token.ip_filter token.kind token.name token.paused token.permissions[] token.previous_until
		token.renewed_at token.revoked`)
	if counterfoil.FactsFormat != format || !slices.Equal(got, wanted) {
		t.Errorf("facts of format %d hold\n%s\nand not, as those of %d,\n%s", counterfoil.FactsFormat, got, format, wanted)
	}
}

// members lists the members of a type's JSON.
func members(of reflect.Type, at string, out *[]string) {
	switch {
	case of.Kind() == reflect.Pointer:
		members(of.Elem(), at, out)
	case of.Kind() == reflect.Slice && of.Elem().Kind() != reflect.Uint8:
		members(of.Elem(), at+"[]", out)
	case of.Kind() == reflect.Struct && of.PkgPath() == reflect.TypeFor[counterfoil.Facts]().PkgPath():
		for i := range of.NumField() {
			f := of.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous:
				members(f.Type, at, out)
			case f.IsExported() && name != "-":
				members(f.Type, strings.TrimPrefix(at+"."+name, "."), out)
			}
		}
	default:
		*out = append(*out, at)
	}
}
