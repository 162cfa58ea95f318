package console

import (
	"encoding/base64"
	"encoding/json"

	"github.com/counterfoil/counterfoil"
)

// saidCookie carries what the last form did across the redirect that follows it, in words that are shown as text.
const saidCookie = "__Host-said"

// remark is what was said; the zero value is none. Tone is good, warn or bad.
type remark struct{ Tone, Text, Detail string }

// say redirects and has the next page say what was done; a receipt is told with it.
func (v *visit) say(to, tone, text string, r *counterfoil.Receipt) error {
	raw, err := json.Marshal(remark{tone, text, receiptWords(r)})
	if err != nil {
		return err
	}
	if value := base64.RawURLEncoding.EncodeToString(raw); len(value) < 3000 { // a longer cookie would not be kept
		v.setCookie(saidCookie, value)
	}
	v.redirect(to)
	return nil
}

// takeSaid returns the remark that this page is to show, once.
func (v *visit) takeSaid() remark { return v.remark }

// readSaid takes the remark before the answer begins.
func (v *visit) readSaid() {
	value := v.cookie(saidCookie)
	if value == "" || v.r.Method != get || v.fragment() {
		return
	}
	v.dropCookie(saidCookie)
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || json.Unmarshal(raw, &v.remark) != nil {
		v.remark = remark{}
	}
}
