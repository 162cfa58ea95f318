package console

import "net/http"

// Cookies of the console. The prefix makes browsers refuse one that another host or an insecure connection sets
// (RFC 6265bis section 4.1.3.2); browsers take the machine itself for secure without https.
const (
	sessionCookie = "__Host-session"
	pendingCookie = "__Host-pending" // a sign-in, or a ceremony, that is half done
	placeCookie   = "__Host-place"   // the organization that somebody was in last; it opens nothing
)

// setCookie stores a value for as long as the browser runs. The server decides when it ends.
func (v *visit) setCookie(name, value string) {
	http.SetCookie(v.w, &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (v *visit) dropCookie(name string) {
	http.SetCookie(v.w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (v *visit) cookie(name string) string {
	c, err := v.r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}
