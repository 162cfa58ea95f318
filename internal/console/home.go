package console

func homePages() []page {
	return []page{{method: get, path: "/{$}", who: signedIn, show: (*visit).home}}
}

// home goes on to where the person begins: the tokens of their organization, or the choice of one.
func (v *visit) home() error {
	switch len(v.members) {
	case 0:
		return v.show(200, "No organization", nowhere(v))
	case 1:
		v.redirect(home(v.members[0]))
		return nil
	}
	return v.show(200, "Organizations", chooseOrganization(v))
}
