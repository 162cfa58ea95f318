// Package counterfoil is the vocabulary of an API token service: the nouns that the server, its command, its Go client
// and its judgement all speak. It refuses to be a service: it opens nothing, stores nothing, and imports the standard
// library only.
//
// A token is torn off a book and handed over; the issuer keeps the counterfoil: who holds it, what it is good for,
// until when, and no way to forge it.
//
// An [Organization] has [Member]s, and each member holds the permissions of their [Role]s. A [Token] belongs to a
// member (personal), to the organization (organization, integration) or to the instance (system). It carries a snapshot
// of permissions, an expiry and perhaps an [IPFilter]; the organization's [Policy] for its kind stands above it. A
// gateway that meets a token makes an [Attempt] and gets a [Verdict]. Whatever changes leaves an [Event] in one
// numbered log.
//
// The two decisions, may a token be used and may it be made, live in package judge and are pure.
package counterfoil
