package console

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
)

// kept is a form that was sent when a fresh proof was wanted first. The person's own browser keeps it, within the forms
// that ask for the proof, and sends it again afterwards. Forms that hold secrets, such as those of the account, are not kept.
type kept struct {
	To     string
	Values url.Values
}

const keptField = "kept"

// keep is the form of this request as the field holds it; empty where there is none to keep.
func (v *visit) keep() string {
	if v.r.Method != post || v.page.who != member || v.page.secret {
		return ""
	}
	raw, err := json.Marshal(kept{v.r.URL.RequestURI(), v.r.PostForm})
	if err != nil || len(raw) > maxForm/2 {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// resume goes on after a proof: with the form that waited for it, else where the person wanted to go.
func (v *visit) resume() error {
	raw, err := base64.RawURLEncoding.DecodeString(v.r.PostForm.Get(keptField))
	var k kept
	if err != nil || json.Unmarshal(raw, &k) != nil || local(k.To) == "/" {
		v.redirect(v.next())
		return nil
	}
	return v.show(http.StatusOK, "Go on", resumePage(v, &k))
}
