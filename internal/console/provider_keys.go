package console

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
)

func providerKeyPages() []page {
	const needs = counterfoil.PermProviderKeysWrite
	const all = "/o/{org}/provider-api"
	return []page{
		{method: get, path: all, who: member, provider: true, needs: needs, show: (*visit).providerKeys},
		{method: get, path: all + "/new", who: member, provider: true, needs: needs, fresh: true, show: (*visit).newProviderKey},
		{method: post, path: all + "/new", who: member, provider: true, needs: needs, fresh: true, form: "/provider-api/new", show: (*visit).createProviderKey},
		{method: get, path: all + "/inspect", who: member, provider: true, needs: needs, show: (*visit).jwtInspector},
		{method: post, path: all + "/inspect", who: member, provider: true, needs: needs, secret: true, form: "/provider-api/inspect", show: (*visit).inspectJWT},
		{method: get, path: all + "/{id}/revoke", who: member, provider: true, needs: needs, show: (*visit).askRevokeProviderKey},
		{method: post, path: all + "/{id}/revoke", who: member, provider: true, needs: needs, form: "/provider-api", show: (*visit).revokeProviderKey},
	}
}

// liveProviderKeys is how many keys may be live (M3); the registry refuses a third.
const liveProviderKeys = 2

// providerKeyList is a provider's keys: those that are live, and the ended ones.
type providerKeyList struct {
	live, ended []counterfoil.ProviderKey
}

func (l *providerKeyList) full() bool { return len(l.live) >= liveProviderKeys }

func (v *visit) findProviderKeys() (*providerKeyList, error) {
	all, err := v.c.Registry.ProviderKeys(v.r.Context(), v.caller(), v.org())
	if err != nil {
		return nil, err
	}
	l := &providerKeyList{}
	for _, k := range all {
		if k.RevokedAt == nil {
			l.live = append(l.live, k)
		} else {
			l.ended = append(l.ended, k)
		}
	}
	return l, nil
}

func (v *visit) providerKeys() error {
	l, err := v.findProviderKeys()
	if err != nil {
		return err
	}
	return v.show(200, "Provider API", providerKeysPage(v, l))
}

// keyFields says which field of the form a member of the request is.
var keyFields = map[string]string{"name": "name", "algorithm": "algorithm", "public_key": "public_key"}

func (v *visit) newProviderKey() error {
	l, err := v.findProviderKeys()
	if err != nil {
		return err
	}
	if l.full() {
		return v.say(v.path("/provider-api"), "warn", "Two keys are live, the most there may be. Revoke the one that is no longer used first.", nil)
	}
	return v.show(200, "Generate private key", providerKeyFormPage(v, filled("algorithm", string(counterfoil.KeyAlgorithms[0]))))
}

func (v *visit) createProviderKey() error {
	draft := counterfoil.ProviderKeyDraft{Name: v.field("name"), Algorithm: counterfoil.KeyAlgorithm(v.field("algorithm")), PublicKey: v.field("public_key")}
	if draft.PublicKey != "" {
		draft.Algorithm = "" // it says itself what it is for
	}
	made, err := v.c.Registry.CreateProviderKey(v.r.Context(), v.caller(), v.org(), draft)
	if err != nil {
		f := newForm(v.r.PostForm)
		if !f.take(err, keyFields) {
			return err
		}
		if strings.Contains(draft.PublicKey, "PRIVATE KEY") {
			f.values.Set("public_key", "") // what must not have come here is not sent back
		}
		return v.show(422, "Generate private key", providerKeyFormPage(v, f))
	}
	return v.show(200, "Save this data", providerKeyRevealPage(v, &made))
}

// keyFile is what the JSON that can be downloaded holds.
type keyFile struct {
	Issuer     string                   `json:"issuer"`
	KeyID      string                   `json:"key_id"`
	Audience   string                   `json:"audience"`
	Algorithm  counterfoil.KeyAlgorithm `json:"algorithm"`
	PrivateKey string                   `json:"private_key,omitempty"`
}

// keyJSON is a link that holds the file itself: nothing of it is kept here.
func keyJSON(made *counterfoil.CreatedKey) string {
	text, _ := json.MarshalIndent(keyFile{made.Issuer, made.KeyID, made.Audience, made.Algorithm, made.PrivateKey}, "", "  ") // texts
	return "data:application/json;base64," + base64.StdEncoding.EncodeToString(append(text, '\n'))
}

func keyPEM(made *counterfoil.CreatedKey) string {
	return "data:application/x-pem-file;base64," + base64.StdEncoding.EncodeToString([]byte(made.PrivateKey))
}

// keyEnvironment is what the examples in the documentation read.
func (v *visit) keyEnvironment(made *counterfoil.CreatedKey) string {
	return "export COUNTERFOIL_URL=" + v.apiURL() + "\nexport COUNTERFOIL_ISSUER=" + made.Issuer + "\nexport COUNTERFOIL_AUDIENCE=" + made.Audience +
		"\nexport COUNTERFOIL_KEY_ID=" + made.KeyID + "\nexport COUNTERFOIL_KEY_FILE=" + made.KeyID + ".pem"
}

func (v *visit) findProviderKey() (counterfoil.ProviderKey, error) {
	l, err := v.findProviderKeys()
	if err != nil {
		return counterfoil.ProviderKey{}, err
	}
	for _, k := range append(l.live, l.ended...) {
		if k.ID == v.r.PathValue("id") {
			return k, nil
		}
	}
	return counterfoil.ProviderKey{}, errNothing
}

func (v *visit) providerKeyPath(id, rest string) string {
	return v.path("/provider-api/%s%s", url.PathEscape(id), rest)
}

func (v *visit) askRevokeProviderKey() error {
	k, err := v.findProviderKey()
	if err != nil {
		return err
	}
	return v.show(200, "Revoke "+k.Name, revokeProviderKeyPage(v, &k))
}

func (v *visit) revokeProviderKey() error {
	k, err := v.findProviderKey()
	if err != nil {
		return err
	}
	receipt, err := v.c.Registry.RevokeProviderKey(v.r.Context(), v.caller(), v.org(), k.ID)
	if err != nil {
		return v.refused(v.path("/provider-api"), err)
	}
	return v.say(v.path("/provider-api"), "good", "Revoked “"+k.Name+"”. Nothing that it signs is accepted any more.", &receipt)
}

func (v *visit) jwtInspector() error {
	return v.show(200, "JWT inspector", jwtInspectorPage(v, nil))
}

func (v *visit) inspectJWT() error {
	report, err := v.c.Registry.InspectJWT(v.r.Context(), v.caller(), v.org(), pastedJWT(v.field("jwt")))
	if err != nil {
		return err
	}
	return v.show(200, "JWT inspector", jwtInspectorPage(v, &report))
}

// keyUsed reports whether a key has signed anything that was accepted.
func keyUsed(k *counterfoil.ProviderKey) bool { return k.LastUsed != nil }

// apart says how far a time is from now to the second, as clocks are compared.
func apart(now, at time.Time) string {
	d := at.Sub(now).Round(time.Second)
	switch {
	case d < 0:
		return (-d).String() + " ago"
	case d > 0:
		return d.String() + " ahead"
	}
	return "now"
}

// apiURL is where programs reach the API: what a JWT's audience is.
func (v *visit) apiURL() string { return strings.TrimSuffix(v.c.Registry.URL, "/") }

// pastedJWT finds the JWT in what somebody has copied: out of a header, between quotes, broken into lines.
func pastedJWT(text string) string {
	words := strings.Fields(strings.NewReplacer(`"`, " ", `'`, " ").Replace(text))
	for _, before := range []string{"Authorization:", "Bearer"} {
		if len(words) > 0 && strings.EqualFold(words[0], before) {
			words = words[1:]
		}
	}
	return strings.Join(words, "")
}

// signedCall is a command that asks with a signed JWT. The shell fills in the JWT.
func (v *visit) signedCall() string {
	return "curl -H \"Authorization: Bearer $JWT\" " + v.apiURL() + "/v1/provider/usage/monthly"
}
