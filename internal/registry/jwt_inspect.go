package registry

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/providerjwt"
	"github.com/counterfoil/counterfoil/internal/store"
)

// JWTReport explains a provider's JWT to the provider.
type JWTReport struct {
	Header, Claims string                   // indented JSON as it stands in the JWT; empty where it cannot be read
	Key            *counterfoil.ProviderKey // that it names; nil: the provider has none such
	Unsigned       string                   // why its signature is not good; empty: it is
	Faults         []string                 // what is wrong with the claims, and with the key
	Rest           []string                 // those of Faults that are of no one claim
	Now            time.Time                // by the clock that judged it

	HeaderMembers, ClaimMembers []JWTMember // nil where they cannot be read
}

// Accepted reports whether the JWT would be accepted.
func (j *JWTReport) Accepted() bool { return j.Unsigned == "" && len(j.Faults) == 0 }

// InspectJWT says what a request with a JWT would be told, and more: what is wrong with a signature too. It is not used up by
// that, and kept nowhere.
func (r *Registry) InspectJWT(ctx context.Context, c Caller, provider, presented string) (out JWTReport, err error) {
	err = r.view(ctx, c, provider, OpListProviderKeys, func(w *work) error {
		if err := w.requireProvider(); err != nil {
			return err
		}
		out = JWTReport{Now: w.tx.Now().Time()}
		out.Header, out.Claims = jwtParts(presented)
		token, err := providerjwt.Parse(presented)
		if err != nil {
			return out.take(err)
		}
		k, found, err := w.tx.ProviderKeyByID(token.KeyID)
		if err != nil {
			return err
		}
		if !found || k.Provider != provider {
			out.Faults = token.Faults(providerjwt.Key{Issuer: provider, Audience: r.audience()}, out.Now)
			out.Unsigned = "its header names no key of this provider: kid has to be the key id"
			return nil
		}
		face := r.keyFace(k)
		out.Key = &face
		return r.inspect(w.tx, token, k, &out)
	})
	out.explain()
	return out, err
}

func (r *Registry) inspect(tx *store.Tx, token *providerjwt.Token, k store.ProviderKey, out *JWTReport) error {
	against, err := r.jwtKey(k)
	if err != nil {
		return err
	}
	claims, err := token.Check(against, out.Now)
	if err != nil {
		out.Faults = token.Faults(against, out.Now) // of one that is not signed well; take has more to say of any other
		return out.take(err)
	}
	used, err := tx.JWTAccepted(claims.JTI)
	if used {
		out.Faults = append(out.Faults, "The claim jti was used before: make a new JWT for each request.")
	}
	return err
}

// take notes why a JWT is not accepted; any other error is returned.
func (j *JWTReport) take(err error) error {
	var unsigned *providerjwt.Unsigned
	var refused *providerjwt.Refused
	switch {
	case errors.As(err, &unsigned):
		j.Unsigned = unsigned.Why
	case errors.As(err, &refused):
		j.Faults = refused.Faults
	default:
		return err
	}
	return nil
}

// jwtParts are the header and claims of what may be a JWT, for people.
func jwtParts(presented string) (header, claims string) {
	if len(presented) > providerjwt.MaxSize {
		return "", ""
	}
	parts := strings.Split(presented, ".")
	read := func(i int) string {
		if i >= len(parts) {
			return ""
		}
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[i], "="))
		var out bytes.Buffer
		if err != nil || !utf8.Valid(raw) || json.Indent(&out, raw, "", "  ") != nil {
			return ""
		}
		return out.String()
	}
	return read(0), read(1)
}
