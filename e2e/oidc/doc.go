// Package oidc holds tests alone: sign-in at a real OpenID Connect provider, which the tests start. It is a module of its
// own because of what the provider needs.
package oidc
