package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

const (
	// MethodProvider, with the provider's name after it, is how a session began that an identity provider vouched for.
	MethodProvider = "oidc: "

	ticketProvider = "oidc"
	providerLife   = 10 * time.Minute
)

// pending is what the ticket of a sign-in at a provider remembers.
type pending struct {
	Provider string `json:"provider"`
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Session  string `json:"session"` // that is to be confirmed; empty: a sign-in
	Next     string `json:"next"`
}

var (
	errProvider = counterfoil.Refuse(counterfoil.CodeMissingCredentials, "Your identity provider did not sign you in. Try again.")
	errPending  = counterfoil.Refuse(counterfoil.CodeMissingCredentials, "This sign-in took too long, or was begun in another browser. Try again.")
	errAway     = counterfoil.Refuse(counterfoil.CodeUnavailable, "The identity provider cannot be reached now. Try again shortly.")
)

// BeginProvider begins a sign-in at an identity provider, or with a session its confirmation. It returns where the browser
// goes, and the value of a cookie that binds what comes back to this browser. next is where the person wanted to go.
func (i *Identity) BeginProvider(ctx context.Context, name, next string, s *Session) (to, cookie string, err error) {
	c, ok := i.clients[name]
	if !ok {
		return "", "", errNotFound
	}
	known, err := c.discover(ctx)
	if err != nil {
		i.Logger.Error("sign-in", "error", err)
		return "", "", errAway
	}
	p := pending{Provider: name, State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: next}
	options := []oauth2.AuthCodeOption{oidc.Nonce(p.Nonce), oauth2.S256ChallengeOption(p.Verifier)}
	if s != nil {
		p.Session = s.ID
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) (err error) {
		cookie, err = i.ticket(tx, store.Ticket{Kind: ticketProvider}, p, providerLife)
		return err
	})
	return c.config(known, i.URL).AuthCodeURL(p.State, options...), cookie, err
}

// Callback is what a provider sent back through the browser.
type Callback struct{ State, Code, Error string }

// FinishProvider ends what BeginProvider began: it signs in, in the provider's organization alone, whom the provider
// vouches for, or notes that a session is confirmed; then the outcome has no value. next is where the person wanted to go.
func (i *Identity) FinishProvider(ctx context.Context, name, cookie string, b Callback, at Place) (out Outcome, next string, err error) {
	p, err := i.takePending(ctx, name, cookie, b.State)
	if err != nil {
		return out, "", err
	}
	if b.Error != "" {
		return out, p.Next, counterfoil.Refuse(counterfoil.CodeMissingCredentials, "Your identity provider did not sign you in: it says "+plainWord(b.Error)+".")
	}
	c := i.clients[name]
	known, err := c.discover(ctx)
	if err != nil {
		i.Logger.Error("sign-in", "error", err)
		return out, p.Next, errAway
	}
	who, err := i.redeem(ctx, c, known, p, b.Code)
	if err != nil {
		i.Logger.Warn("a sign-in at an identity provider failed", "provider", name, "error", err)
		return out, p.Next, errProvider
	}
	if p.Session != "" {
		return out, p.Next, i.confirmByProvider(ctx, c, p, who, at)
	}
	out, err = i.signInByProvider(ctx, c, who, at)
	return out, p.Next, err
}

// takePending takes what was begun in this browser. Its state must be the one that came back.
func (i *Identity) takePending(ctx context.Context, name, cookie, state string) (p pending, err error) {
	digest, ok := secret.PassDigest(cookie)
	if !ok {
		return p, errPending
	}
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		p = pending{}
		t, found, err := tx.TakeTicket(ticketProvider, digest)
		if err != nil {
			return err
		}
		if !found {
			return errPending
		}
		return json.Unmarshal([]byte(t.Data), &p)
	})
	if err == nil && (p.Provider != name || subtle.ConstantTimeCompare([]byte(p.State), []byte(state)) != 1 || i.clients[name] == nil) {
		err = errPending
	}
	return p, err
}

// person is whom a provider vouches for.
type person struct {
	issuer, subject, email, name string
	authTime                     time.Time
	roles                        []string
}

// redeem turns a code into a person: it checks the token, asks for what the token lacks, and maps the roles.
func (i *Identity) redeem(ctx context.Context, c *client, known *oidc.Provider, p pending, code string) (who person, err error) {
	ctx = c.context(ctx)
	config := c.config(known, i.URL)
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(p.Verifier))
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) { // its text holds the answer, which may hold tokens
			err = fmt.Errorf("the code was refused: status %d, %s", refused.Response.StatusCode, plainWord(refused.ErrorCode))
		}
		return who, err
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := known.VerifierContext(ctx, &oidc.Config{ClientID: c.ClientID, Now: i.now}).Verify(ctx, raw)
	if err != nil {
		return who, fmt.Errorf("the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(p.Nonce)) != 1 {
		return who, errors.New("the ID token has another nonce")
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return who, err
	}
	if _, has := claim(claims, c.RoleClaim); known.UserInfoEndpoint() != "" && (claims["email"] == nil || c.RoleClaim != "" && !has) {
		info, err := known.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
		if err != nil {
			return who, fmt.Errorf("asking about the person: %w", err)
		}
		if info.Subject != token.Subject {
			return who, errors.New("asked about the person, the provider answered about another")
		}
		more := map[string]any{}
		if err := info.Claims(&more); err != nil {
			return who, err
		}
		for name, value := range more {
			if _, has := claims[name]; !has {
				claims[name] = value
			}
		}
	}
	return c.person(token, claims)
}

// person reads the claims. The address must be verified: it is how people are told apart the first time.
func (c *client) person(token *oidc.IDToken, claims map[string]any) (who person, err error) {
	who = person{issuer: token.Issuer, subject: token.Subject}
	email, _ := claims["email"].(string)
	if who.email = strings.ToLower(email); who.email == "" {
		return who, errors.New("it gave no e-mail address")
	}
	if v := claims["email_verified"]; v != true && v != "true" {
		return who, errors.New("it has not verified the e-mail address")
	}
	if who.name, _ = claims["name"].(string); strings.TrimSpace(who.name) == "" || len(who.name) > 100 {
		who.name, _, _ = strings.Cut(who.email, "@")
	}
	if seconds, ok := claims["auth_time"].(float64); ok {
		who.authTime = time.Unix(int64(seconds), 0)
	}
	values, _ := claim(claims, c.RoleClaim)
	for _, v := range texts(values) {
		who.roles = append(who.roles, c.Roles[v]...)
	}
	if len(who.roles) == 0 {
		who.roles = c.DefaultRoles
	}
	return who, nil
}

// claim finds a claim by its name, or by a path of names with dots between.
func claim(claims map[string]any, name string) (any, bool) {
	if v, has := claims[name]; has || name == "" {
		return v, has
	}
	first, rest, nested := strings.Cut(name, ".")
	inner, ok := claims[first].(map[string]any)
	if !nested || !ok {
		return nil, false
	}
	return claim(inner, rest)
}

// texts reads a claim that is a text or a list of texts.
func texts(v any) (list []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, x := range v {
			if s, ok := x.(string); ok {
				list = append(list, s)
			}
		}
	}
	return list
}

// plainWord is a provider's error code, and nothing else that somebody may have put in its place.
func plainWord(s string) string {
	if s == "" || len(s) > 60 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "an error"
	}
	return s
}

// Provision is a person whom an organization's identity provider vouches for.
type Provision struct {
	Provider, Email, Name string
	Roles                 []string
	// Sync: the member has exactly Roles from now on; else Roles are those of a new member only. Owner is made or unmade
	// only where Owners says that the provider decides that too.
	Sync, Owners bool
}

func (i *Identity) signInByProvider(ctx context.Context, c *client, who person, at Place) (out Outcome, err error) {
	q := Provision{Provider: c.Name, Email: who.email, Name: who.name, Roles: who.roles, Sync: c.RoleClaim != "", Owners: c.owners()}
	var linked store.User
	err = i.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		id, found, err := tx.ExternalUser(who.issuer, who.subject)
		if err == nil && found {
			linked, _, err = tx.User(id)
		}
		return err
	})
	if err != nil {
		return out, err
	}
	if linked.ID != "" {
		q.Email = linked.Email // the address may have changed over there; the subject does not
	}
	err = i.Provision(ctx, at, c.Organization, q, func(tx *store.Tx, m counterfoil.Member) error {
		user := store.User{ID: m.UserID, Email: m.Email}
		if err := i.linkSubject(tx, user, who); err != nil {
			return err
		}
		out = Outcome{}
		organization := tx.Organization()
		out.Value, err = i.begin(tx, user, methodOf(c), organization, "", at)
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	return out, nil
}

// linkSubject remembers whom a provider's subject stands for. One that stands for somebody else already, or a second
// subject of the same provider with the first one's address, is refused: the address was given to another person.
func (i *Identity) linkSubject(tx *store.Tx, user store.User, who person) error {
	errAnother := counterfoil.Refuse(counterfoil.CodeInUse, "This e-mail address belongs to another account of your identity provider here. An owner of your organization can remove the old member.")
	switch linked, found, err := tx.ExternalUser(who.issuer, who.subject); {
	case err != nil:
		return err
	case found && linked != user.ID:
		return errAnother
	case found:
		return nil
	}
	if _, found, err := tx.ExternalSubject(who.issuer, user.ID); err != nil {
		return err
	} else if found {
		return errAnother
	}
	return tx.LinkExternalUser(who.issuer, who.subject, user.ID)
}

// confirmByProvider notes that the person of a session has signed in at the provider again, just now.
func (i *Identity) confirmByProvider(ctx context.Context, c *client, p pending, who person, at Place) error {
	if now := i.now(); who.authTime.IsZero() || now.Sub(who.authTime) > Freshness || who.authTime.Sub(now) > time.Minute {
		return counterfoil.Refuse(counterfoil.CodeMissingCredentials, "Your identity provider did not ask you to sign in again. Sign out here, then sign in.")
	}
	var refusal error
	err := i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		refusal = nil
		s, found, err := tx.Session(p.Session)
		if err != nil {
			return err
		}
		if !found || !i.live(s, tx.Now()) {
			return errEnded
		}
		if user, found, err := tx.ExternalUser(who.issuer, who.subject); err != nil {
			return err
		} else if !found || user != s.User || s.Method != methodOf(c) {
			refusal = counterfoil.Refuse(counterfoil.CodeMissingCredentials, "You signed in at your identity provider as somebody else. Sign out here, then sign in.")
			return i.record(tx, at, store.User{ID: s.User}, s.Organization, happening{typ: "login", action: "user_login_failed",
				metadata: map[string]any{"method": "confirmation: " + s.Method, "reason": "another_person"}})
		}
		_, err = tx.ConfirmSession(s.ID)
		return err
	})
	if err == nil {
		err = refusal
	}
	return err
}

// methodOf is how a session began that a provider vouched for.
func methodOf(c *client) string { return MethodProvider + c.Name }
