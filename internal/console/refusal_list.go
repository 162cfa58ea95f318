package console

import (
	"net/netip"
	"net/url"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// refusalList is the refusals of the last 40 days as a page shows them.
type refusalList struct {
	form    *form
	path    string
	query   registry.RefusalQuery
	page    counterfoil.Page[counterfoil.Refusal]
	paged   bool // not the first page
	offers  []counterfoil.Token
	token   *counterfoil.Token            // the one that the list is narrowed to
	choices choices                       // where what somebody asked for is several
	names   map[string]*counterfoil.Token // of those on the page, by id; one that is gone has none
}

const refusalsPerPage = 50

var refusalFields = []string{"token", "code", "ip"}

// refusals leads from a reference that was pasted to its page, and lists what was refused.
func (v *visit) refusals() error {
	f := newForm(v.r.Form)
	if text := f.get("reference"); text != "" {
		if found := referenceForm.FindString(text); found != "" {
			v.redirect(v.path("/refusals/%s", url.PathEscape(found)))
			return nil
		}
		f.wrong("reference", "there is no reference in it: one looks like ref_0198c2f1…")
	}
	return v.listRefusals(200, f)
}

func (v *visit) listRefusals(status int, f *form) (err error) {
	l := &refusalList{form: f, path: v.path("/refusals"), names: map[string]*counterfoil.Token{}}
	l.query = registry.RefusalQuery{Token: f.get("token"), Code: counterfoil.Code(f.get("code")), IP: v.field("ip"), Cursor: f.get("cursor"), Limit: refusalsPerPage}
	l.paged = l.query.Cursor != ""
	if ip, err := netip.ParseAddr(l.query.IP); err == nil {
		l.query.IP = ip.Unmap().String() // as it is stored
	} else if l.query.IP != "" {
		f.wrong("ip", "this is not an IP address")
	}
	if l.token, l.choices, err = v.resolveToken(f, l.address); err != nil {
		return err
	}
	if l.token != nil {
		l.query.Token = l.token.ID
	}
	offers, err := v.c.Registry.ListTokens(v.r.Context(), v.caller(), v.org(), registry.TokenQuery{Sort: "name", Limit: mostOffers})
	if err != nil {
		return err
	}
	l.offers = offers.Data
	if f.fault("token") == "" && f.fault("ip") == "" {
		if err := v.readRefusals(l); err != nil {
			return err
		}
	} else {
		status = 422
	}
	return v.show(status, "Refusals", refusalsPage(v, l))
}

// readRefusals fills the page of a list, with the tokens that are there to be named.
func (v *visit) readRefusals(l *refusalList) (err error) {
	if l.page, err = v.c.Registry.Refusals(v.r.Context(), v.caller(), v.org(), l.query); err != nil {
		return err
	}
	for i := range l.offers {
		l.names[l.offers[i].ID] = &l.offers[i]
	}
	for i := range l.page.Data {
		id := l.page.Data[i].TokenID
		if _, known := l.names[id]; known {
			continue
		}
		token, err := v.c.Registry.Token(v.r.Context(), v.caller(), v.org(), id)
		switch {
		case err == nil:
			l.names[id] = &token
		case gone(err):
			l.names[id] = nil
		default:
			return err
		}
	}
	return nil
}

// address is the list with the same filters, and more: name, value, …
func (l *refusalList) address(more ...string) string {
	return l.form.address(l.path, refusalFields, more...)
}

func (l *refusalList) first() string {
	if l.paged {
		return l.address()
	}
	return ""
}

func (l *refusalList) next() string {
	if l.page.NextCursor == nil {
		return ""
	}
	return l.address("cursor", *l.page.NextCursor)
}

// narrowed reports whether somebody asked for less than all that is kept.
func (l *refusalList) narrowed() bool { return l.paged || l.address() != l.path }
