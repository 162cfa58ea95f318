#!/bin/sh
# Prints the usage of every managed organization in the month that runs, as CSV. Needs curl and OpenSSL 3, and an Ed25519 key.
# COUNTERFOIL_URL, COUNTERFOIL_ISSUER, COUNTERFOIL_AUDIENCE and COUNTERFOIL_KEY_ID are what the key was shown with;
# COUNTERFOIL_KEY_FILE is its private half, as PEM.
set -eu

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

now=$(date +%s)
header=$(printf '{"alg":"EdDSA","typ":"JWT","kid":"%s"}' "$COUNTERFOIL_KEY_ID" | base64url)
claims=$(printf '{"iss":"%s","aud":"%s","iat":%d,"exp":%d,"jti":"%s"}' \
	"$COUNTERFOIL_ISSUER" "$COUNTERFOIL_AUDIENCE" "$now" $((now + 120)) "$(openssl rand -hex 16)" | base64url)

signed=$(mktemp)
trap 'rm -f "$signed"' EXIT
printf '%s.%s' "$header" "$claims" >"$signed"
signature=$(openssl pkeyutl -sign -rawin -inkey "$COUNTERFOIL_KEY_FILE" -in "$signed" | base64url)

curl --fail-with-body -sS -H "Authorization: Bearer $header.$claims.$signature" "$COUNTERFOIL_URL/v1/provider/usage/monthly?format=csv"
