package counterfoil

import "time"

// KindProvider is what a provider's signed key calls as. No token is of this kind, and it is not one of [Kinds].
const KindProvider Kind = "provider"

// TrialSeconds is how long a trial lasts before it becomes standard by itself.
const TrialSeconds = 14 * 24 * 60 * 60

// ManagedOrganization is an organization as its provider sees it.
type ManagedOrganization struct {
	Organization
	Seats Seats `json:"seats"`
}

// Seats counts an organization's members by status, now.
type Seats struct {
	Active    int64 `json:"active"`
	Pending   int64 `json:"pending" doc:"Invited, and not yet joined."`
	Suspended int64 `json:"suspended"`
}

// ManagedDraft asks for an organization that a provider manages.
type ManagedDraft struct {
	Name       string  `json:"name" minLength:"1" maxLength:"100"`
	Slug       string  `json:"slug,omitempty" pattern:"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$" patternDescription:"lower-case letters, digits and hyphens" doc:"Derived from the name when absent."`
	Plan       string  `json:"plan,omitempty" doc:"Default: the lowest."`
	License    License `json:"license,omitempty" enum:"standard,trial,nfr" doc:"Default standard. A trial lasts 14 days and becomes standard by itself; nfr is free, and a provider has one."`
	DataCenter string  `json:"data_center,omitempty"`
	Provider   string  `json:"provider,omitempty" doc:"From a system credential: the provider, by id or slug."`
}

// Assignments are the managed organizations in which a provider's technician acts.
type Assignments struct {
	Organizations []string `json:"organizations" maxItems:"2000" doc:"org_…, oldest first: organizations that the provider manages."`
}

// KeyAlgorithm is how a provider's key signs (RFC 7518 section 3, RFC 8037 section 3.1).
type KeyAlgorithm string

const (
	KeyEdDSA KeyAlgorithm = "EdDSA" // Ed25519
	KeyES256 KeyAlgorithm = "ES256"
	KeyRS256 KeyAlgorithm = "RS256"
)

// KeyAlgorithms lists every one; the first is the default.
var KeyAlgorithms = []KeyAlgorithm{KeyEdDSA, KeyES256, KeyRS256}

// ProviderKey is a key whose private half a provider signs its requests with. Only the public half is kept here.
type ProviderKey struct {
	ID        string       `json:"id" doc:"key_…"`
	KeyID     string       `json:"key_id" doc:"The JWT header kid."`
	Name      string       `json:"name"`
	Issuer    string       `json:"issuer" doc:"The JWT claim iss."`
	Audience  string       `json:"audience" doc:"The JWT claim aud."`
	Algorithm KeyAlgorithm `json:"algorithm" enum:"EdDSA,ES256,RS256" doc:"The JWT header alg: no other is accepted of this key."`
	PublicKey string       `json:"public_key" doc:"PEM."`
	CreatedAt time.Time    `json:"created_at"`
	CreatedBy string       `json:"created_by"`
	LastUsed  *LastUsed    `json:"last_used" doc:"The most recent accepted JWT; null: never."`
	RevokedAt *time.Time   `json:"revoked_at"`
	RevokedBy *string      `json:"revoked_by"`
}

// ProviderKeyDraft asks for a key. With a public key of the caller's own no private one is made.
type ProviderKeyDraft struct {
	Name      string       `json:"name" minLength:"1" maxLength:"100"`
	Algorithm KeyAlgorithm `json:"algorithm,omitempty" enum:"EdDSA,ES256,RS256" doc:"Default EdDSA; of a key of your own, what it is."`
	PublicKey string       `json:"public_key,omitempty" maxLength:"8000" doc:"Your own, as PEM (SubjectPublicKeyInfo)."`
	Provider  string       `json:"provider,omitempty" doc:"From a system credential: the provider, by id or slug."`
}

// CreatedKey is the one answer that holds a private key: it is shown once and kept nowhere.
type CreatedKey struct {
	ProviderKey
	PrivateKey string `json:"private_key,omitempty" doc:"PEM (PKCS #8). Shown this once; absent when the public key was given."`
}
