package identity

import (
	"context"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Session is a person who is signed in. The zero Session is nobody.
type Session struct {
	ID, UserID, Email, Organization, Method string
	ReturnURL                               string
	CreatedAt, SeenAt, ConfirmedAt, EndsAt  time.Time
	IP, UserAgent                           string
}

// Freshness is how long the proof of who somebody is counts for what wants a fresh one.
const Freshness = 10 * time.Minute

// Fresh reports whether the person proved who they are within the last 10 minutes.
func (s Session) Fresh(now time.Time) bool {
	return !s.ConfirmedAt.IsZero() && now.Before(s.ConfirmedAt.Add(Freshness))
}

// seenEvery is how exactly the last use of a session is noted.
const seenEvery = time.Minute

var (
	errEnded    = counterfoil.Refuse(counterfoil.CodeMissingCredentials, "Your session has ended. Sign in again.")
	errNotFound = counterfoil.Refuse(counterfoil.CodeNotFound, "There is nothing here, or it is not yours to see.")
)

// ErrStepUp refuses somebody who has to prove again who they are.
var ErrStepUp = counterfoil.Refuse(counterfoil.CodeMissingCredentials, "Confirm that it is you: this needs a sign-in of the last 10 minutes.")

// ErrOneOrganization refuses a session that one organization vouched for.
var ErrOneOrganization = counterfoil.Refuse(counterfoil.CodeMissingPermission,
	"This session is good for one organization alone, which vouched for you. To change how you sign in, sign in here with your own password or passkey.")

// Session finds the session that a cookie's value names, and notes its use. False: there is none, or it has ended.
func (i *Identity) Session(ctx context.Context, value string, at Place) (s Session, found bool, err error) {
	digest, ok := secret.PassDigest(value)
	if !ok {
		return Session{}, false, nil
	}
	var kept store.Session
	var user store.User
	err = i.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		if kept, found, err = tx.SessionByDigest(digest); err != nil || !found {
			return err
		}
		if found = i.live(kept, tx.Now()); found {
			user, found, err = tx.User(kept.User)
		}
		return err
	})
	if err != nil || !found {
		return Session{}, false, err
	}
	s = sessionOf(kept, user)
	if i.now().Sub(s.SeenAt) < seenEvery {
		return s, true, nil
	}
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		return tx.TouchSession(s.ID, at.address(), cut(at.UserAgent))
	})
	return s, err == nil, err
}

// live reports whether a stored session still counts.
func (i *Identity) live(s store.Session, now counterfoil.Instant) bool {
	return now < s.EndsAt && now < s.SeenAt.Plus(int64(i.SessionIdle/time.Second))
}

func sessionOf(s store.Session, u store.User) Session {
	return Session{ID: s.ID, UserID: s.User, Email: u.Email, Organization: s.Organization, Method: s.Method, ReturnURL: s.ReturnURL,
		CreatedAt: s.CreatedAt.Time(), SeenAt: s.SeenAt.Time(), ConfirmedAt: s.ConfirmedAt.Time(), EndsAt: s.EndsAt.Time(), IP: s.IP, UserAgent: s.UserAgent}
}

// begin makes a session of a person who has proved who they are, and returns its value.
func (i *Identity) begin(tx *store.Tx, user store.User, method, organization, returnURL string, at Place) (value string, err error) {
	value = secret.MintPass()
	digest, _ := secret.PassDigest(value)
	s := store.Session{ID: store.NewID("ses"), User: user.ID, Organization: organization, Method: method, ReturnURL: returnURL,
		IP: at.address(), UserAgent: cut(at.UserAgent), EndsAt: tx.Now().Plus(int64(i.SessionLifetime / time.Second))}
	if err := tx.InsertSession(s, digest); err != nil {
		return "", err
	}
	return value, i.record(tx, at, user, organization, happening{typ: "login", action: "user_login_successful", proven: true,
		metadata: map[string]any{"method": method}})
}

// own finds the session again inside the transaction. It must be live; to change how the person signs in, it must be the
// person's own and fresh.
func (i *Identity) own(tx *store.Tx, s Session, change bool) (store.User, error) {
	kept, found, err := tx.Session(s.ID)
	if err != nil {
		return store.User{}, err
	}
	if !found || kept.User != s.UserID || !i.live(kept, tx.Now()) {
		return store.User{}, errEnded
	}
	switch {
	case change && kept.Organization != "":
		return store.User{}, ErrOneOrganization
	case change && !sessionOf(kept, store.User{}).Fresh(tx.Now().Time()):
		return store.User{}, ErrStepUp
	}
	user, found, err := tx.User(kept.User)
	if err == nil && !found {
		err = errEnded
	}
	return user, err
}

// SignOut ends the session.
func (i *Identity) SignOut(ctx context.Context, s Session) error {
	return i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		_, err := tx.DeleteSession(s.UserID, s.ID)
		return err
	})
}

// Sessions lists the person's sessions, newest first; a session of one organization sees that organization's alone.
func (i *Identity) Sessions(ctx context.Context, s Session) (list []Session, err error) {
	err = i.Store.View(ctx, "", func(tx *store.Tx) error {
		user, err := i.own(tx, s, false)
		if err != nil {
			return err
		}
		all, err := tx.SessionsOf(user.ID)
		for _, k := range all {
			if i.live(k, tx.Now()) && (s.Organization == "" || s.Organization == k.Organization) {
				list = append(list, sessionOf(k, user))
			}
		}
		return err
	})
	return list, err
}

// EndSession ends one of the person's sessions.
func (i *Identity) EndSession(ctx context.Context, s Session, id string, at Place) error {
	return i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, false)
		if err != nil {
			return err
		}
		k, found, err := tx.Session(id)
		if err != nil {
			return err
		}
		if !found || k.User != user.ID || (s.Organization != "" && s.Organization != k.Organization) {
			return errNotFound
		}
		if _, err := tx.DeleteSession(user.ID, id); err != nil {
			return err
		}
		return i.record(tx, at, user, k.Organization, happening{typ: "sessions", action: "session_ended", proven: true,
			target: counterfoil.Target{Kind: "session", ID: id}, metadata: map[string]any{"sessions": 1}})
	})
}

// EndOthers ends all of the person's sessions but this one, and says how many.
func (i *Identity) EndOthers(ctx context.Context, s Session, at Place) (n int64, err error) {
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, false)
		if err != nil {
			return err
		}
		if s.Organization != "" {
			return ErrOneOrganization
		}
		n, err = i.endOthers(tx, user, s.ID, at)
		return err
	})
	return n, err
}

// endOthers ends a person's sessions but one.
func (i *Identity) endOthers(tx *store.Tx, user store.User, except string, at Place) (int64, error) {
	n := int64(0)
	all, err := tx.SessionsOf(user.ID)
	if err != nil {
		return 0, err
	}
	for _, k := range all {
		if k.ID != except && i.live(k, tx.Now()) {
			n++
		}
	}
	if err := tx.DeleteSessions(user.ID, except); err != nil || n == 0 {
		return 0, err
	}
	return n, i.record(tx, at, user, "", happening{typ: "sessions", action: "session_ended", proven: true, metadata: map[string]any{"sessions": n}})
}

// Provider is the name of the identity provider that vouched for the person; empty: none did.
func (s Session) Provider() string {
	name, found := strings.CutPrefix(s.Method, MethodProvider)
	if !found {
		return ""
	}
	return name
}
