package notices

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

// said is one letter in words.
type said struct{ subject, text, link string }

// compose makes one mail of a person's letters, by organization. What does not hold any more, such as the end of a token
// that was renewed meanwhile, is left out; a mail without a body is not sent.
func (n *Notices) compose(tx *store.Tx, person store.User, letters []store.Letter) (mail.Message, error) {
	var subjects []string
	var body strings.Builder
	digest := sha256.New()
	under := ""
	for _, l := range byOrganization(letters) {
		var s said
		var name string
		err := tx.In(l.Organization, func(tx *store.Tx) error {
			compiled, err := n.Rules.Within(tx)
			if err != nil || compiled == nil || !compiled.OrganizationActive {
				return err
			}
			name = compiled.Org.Name
			if l.Kind == store.LetterWebhook {
				s, err = sayWebhook(tx, person, l)
			} else {
				s, err = n.say(tx, compiled, person, l)
			}
			if s.link != "" {
				s.link = n.URL + "/o/" + url.PathEscape(compiled.Org.Slug) + s.link
			}
			return err
		})
		if err != nil {
			return mail.Message{}, err
		}
		if s.text == "" {
			continue
		}
		if under != l.Organization {
			fmt.Fprintf(&body, "%s\n\n", mail.Line(name))
			under = l.Organization
		}
		fmt.Fprintf(&body, "- %s\n  %s\n\n", s.text, s.link)
		subjects = append(subjects, s.subject)
		digest.Write([]byte(l.ID + "\n"))
	}
	if len(subjects) == 0 {
		return mail.Message{}, nil
	}
	body.WriteString("You get this mail because a token of these is yours, or because you are an owner or admin of the organization.\n")
	if slices.ContainsFunc(letters, func(l store.Letter) bool { return l.Kind == store.LetterPlace }) {
		fmt.Fprintf(&body, "Mails about new places can be switched off: %s/account\n", n.URL)
	}
	m := mail.Message{To: person.Email, Subject: subjects[0], Body: body.String(), ID: hex.EncodeToString(digest.Sum(nil)[:16])}
	if more := len(subjects) - 1; more > 0 {
		m.Subject = fmt.Sprintf("%d notices from %s", more+1, n.Product)
	}
	return m, nil
}

// byOrganization keeps the order within each organization.
func byOrganization(letters []store.Letter) (out []store.Letter) {
	var orgs []string
	parts := map[string][]store.Letter{}
	for _, l := range letters {
		if parts[l.Organization] == nil {
			orgs = append(orgs, l.Organization)
		}
		parts[l.Organization] = append(parts[l.Organization], l)
	}
	for _, org := range orgs {
		out = append(out, parts[org]...)
	}
	return out
}

// say puts a letter about a token into words; the zero value where it does not hold any more, or does not concern the
// person any more.
func (n *Notices) say(tx *store.Tx, compiled *rules.Compiled, person store.User, l store.Letter) (said, error) {
	t, found, err := tx.Token(l.Subject)
	if err != nil || !found || t.RevokedAt != 0 {
		return said{}, err
	}
	if ok, err := concerns(tx, &t, person.ID); err != nil || !ok {
		return said{}, err
	}
	switch l.Kind {
	case letterEnding:
		return sayEnding(tx, compiled, &t, l)
	case store.LetterPlace:
		if muted, err := tx.Muted(person.ID, l.Kind); err != nil || muted {
			return said{}, err
		}
		return sayPlace(&t, l)
	}
	return said{}, nil
}

func sayEnding(tx *store.Tx, compiled *rules.Compiled, t *store.Token, l store.Letter) (s said, err error) {
	var e ending
	if err := json.Unmarshal([]byte(l.Data), &e); err != nil {
		return s, fmt.Errorf("the letter %s is damaged: %w", l.ID, err)
	}
	record := rules.Record(t)
	if judge.EffectiveExpiry(&record, &compiled.Rules) != e.Ends {
		return s, nil // it was renewed, or the policy changed
	}
	s.link = "/tokens/" + url.PathEscape(t.ID)
	if e.Ends <= tx.Now() {
		s.subject = fmt.Sprintf("The token %s has expired", quoted(t.Name))
		s.text = fmt.Sprintf("%s (%s) expired on %s and is refused since.", quoted(t.Name), t.Hint, readable(e.Ends))
		return s, nil
	}
	s.subject = fmt.Sprintf("The token %s expires on %s", quoted(t.Name), e.Ends.Time().Format("2 January 2006"))
	s.text = fmt.Sprintf("%s (%s) expires on %s, in %s. It is refused from then on.", quoted(t.Name), t.Hint, readable(e.Ends), span(e.Ends, tx.Now()))
	return s, nil
}

func sayPlace(t *store.Token, l store.Letter) (s said, err error) {
	var p elsewhere
	if err := json.Unmarshal([]byte(l.Data), &p); err != nil {
		return s, fmt.Errorf("the letter %s is damaged: %w", l.ID, err)
	}
	s.subject = fmt.Sprintf("The token %s was used from a new place", quoted(t.Name))
	s.text = fmt.Sprintf("%s (%s) was used from %s for the first time on %s (network %s). If that was not you or your program, revoke it.",
		quoted(t.Name), t.Hint, p.IP, readable(p.At), p.Place)
	s.link = "/tokens/" + url.PathEscape(t.ID)
	return s, nil
}

// reasons say why a webhook was disabled.
var reasons = map[counterfoil.WebhookReason]string{
	counterfoil.WebhookGone:    "it answered that it is gone for good (410)",
	counterfoil.WebhookFailing: "nothing could be delivered to it for three days",
	counterfoil.WebhookBehind:  "more waits for it than is kept",
}

func sayWebhook(tx *store.Tx, person store.User, l store.Letter) (s said, err error) {
	var d store.WebhookDisabled
	if err := json.Unmarshal([]byte(l.Data), &d); err != nil {
		return s, fmt.Errorf("the letter %s is damaged: %w", l.ID, err)
	}
	h, found, err := tx.Webhook(l.Subject)
	if err != nil || !found || h.Disabled != d.Reason {
		return s, err // it was deleted, or is enabled again
	}
	people, err := tx.Keepers(mostKeepers)
	if err != nil || !slices.ContainsFunc(people, func(m store.Member) bool { return m.UserID == person.ID }) {
		return s, err
	}
	s.subject = fmt.Sprintf("The webhook %s was disabled", quoted(d.Name))
	s.text = fmt.Sprintf("The webhook %s to %s was disabled, because %s. It is sent nothing until somebody enables it.", quoted(d.Name), mail.Line(d.Host), reasons[d.Reason])
	s.link = "/webhooks/" + url.PathEscape(l.Subject)
	return s, nil
}

// quoted is what somebody called a token, as text of one line.
func quoted(name string) string { return `"` + mail.Line(name) + `"` }

// readable is a time in words.
func readable(i counterfoil.Instant) string { return i.Time().Format("2 January 2006 at 15:04 UTC") }

// span is the time until an end in words, cut to days or hours.
func span(ends, now counterfoil.Instant) string {
	hours := int64(ends-now) / (60 * 60 * 1_000_000)
	number, unit := hours/24, "day"
	if number < 2 {
		number, unit = hours, "hour"
	}
	switch {
	case number == 0:
		return "less than an hour"
	case number == 1:
		return "one " + unit
	}
	return fmt.Sprintf("%d %ss", number, unit)
}
