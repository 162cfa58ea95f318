"""A provider's requests, signed. Needs the package cryptography, and an Ed25519 key.

COUNTERFOIL_URL, COUNTERFOIL_ISSUER, COUNTERFOIL_AUDIENCE and COUNTERFOIL_KEY_ID are what the key was shown with;
COUNTERFOIL_KEY_FILE is its private half, as PEM. Run as a program it prints the usage of the month that runs, as CSV.
"""

import base64
import json
import os
import time
import urllib.parse
import urllib.request
import uuid

from cryptography.hazmat.primitives.serialization import load_pem_private_key


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwt():
    """A fresh one: each is accepted once."""
    now = int(time.time())
    header = {"alg": "EdDSA", "typ": "JWT", "kid": os.environ["COUNTERFOIL_KEY_ID"]}
    claims = {
        "iss": os.environ["COUNTERFOIL_ISSUER"],
        "aud": os.environ["COUNTERFOIL_AUDIENCE"],
        "iat": now,
        "exp": now + 120,
        "jti": str(uuid.uuid4()),
    }
    text = base64url(json.dumps(header).encode()) + "." + base64url(json.dumps(claims).encode())
    with open(os.environ["COUNTERFOIL_KEY_FILE"], "rb") as f:
        key = load_pem_private_key(f.read(), None)
    return text + "." + base64url(key.sign(text.encode()))


def get(path, **query):
    url = os.environ["COUNTERFOIL_URL"] + path + "?" + urllib.parse.urlencode(query)
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + jwt()})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


if __name__ == "__main__":
    print(get("/v1/provider/usage/monthly", format="csv"), end="")
