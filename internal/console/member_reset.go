package console

// askResetSignIn and resetSignIn let a member in again who lost what they sign in with.
func (v *visit) askResetSignIn() error {
	m, err := v.findMember()
	if err != nil {
		return err
	}
	switch {
	case m.blocked != "":
		return v.say(v.memberPath(m.ID, ""), "bad", "Not reset: "+m.blocked, nil)
	case !m.active() || v.itself(m):
		return v.say(v.memberPath(m.ID, ""), "warn", "Only how another, active member signs in is reset here.", nil)
	}
	return v.show(200, "Reset how "+m.Name+" signs in", resetSignInPage(v, m))
}

func (v *visit) resetSignIn() error {
	link, err := v.c.Registry.ResetSignIn(v.r.Context(), v.caller(), v.org(), v.r.PathValue("id"))
	if err != nil {
		return v.refused(v.memberPath(v.r.PathValue("id"), ""), err)
	}
	return v.handOver(&link)
}
