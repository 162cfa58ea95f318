package console

import "net/url"

// backHost is the site that the product's address names.
func (v *visit) backHost() string {
	u, err := url.Parse(v.back)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
