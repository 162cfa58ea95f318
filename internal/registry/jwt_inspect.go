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
		var kid string
		var payload []byte
		out.Header, out.Claims, kid, payload = jwtParts(presented)
		k, found, err := w.tx.ProviderKeyByID(kid)
		if err != nil {
			return err
		}
		if found && k.Provider == provider {
			return r.inspect(w.tx, presented, payload, k, &out)
		}
		out.Unsigned = "its header names no key of this provider: kid has to be the key id"
		if payload != nil {
			out.Faults = providerjwt.Faults(payload, providerjwt.Key{Issuer: provider, Audience: r.audience()}, out.Now)
		}
		if _, err := providerjwt.Parse(presented); err != nil {
			return out.take(err)
		}
		return nil
	})
	out.explain()
	return out, err
}

// inspect judges a JWT that names a key of the provider.
func (r *Registry) inspect(tx *store.Tx, presented string, payload []byte, k store.ProviderKey, out *JWTReport) error {
	face := r.keyFace(k)
	out.Key = &face
	against, err := r.jwtKey(k)
	if err != nil {
		return err
	}
	if payload != nil {
		out.Faults = providerjwt.Faults(payload, against, out.Now) // also of one that is not signed well
	}
	token, err := providerjwt.Parse(presented)
	if err != nil {
		return out.take(err)
	}
	claims, err := token.Check(against, out.Now)
	if err != nil {
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

// jwtParts are the header and claims of what may be a JWT, for people; the key id that it names; and its claims as they are. What
// cannot be read is empty, or nil.
func jwtParts(presented string) (header, claims, kid string, payload []byte) {
	if len(presented) > providerjwt.MaxSize {
		return "", "", "", nil
	}
	parts := append(strings.SplitN(presented, ".", 3), "", "")
	header, raw := jwtPart(parts[0])
	var names struct {
		KeyID string `json:"kid"`
	}
	_ = json.Unmarshal(raw, &names) // what is no text names no key
	claims, payload = jwtPart(parts[1])
	return header, claims, names.KeyID, payload
}

func jwtPart(part string) (text string, raw []byte) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
	var out bytes.Buffer
	if err != nil || !utf8.Valid(raw) || json.Indent(&out, raw, "", "  ") != nil {
		return "", nil
	}
	return out.String(), raw
}
