import base64
import hashlib
import json

import jwt
import pytest

from baton_local.qstash.core.message import sign

KEY = "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r"


def test_token_is_verifiable_and_names_url_and_body() -> None:
    """An independent JWT library accepts it and reads the documented claims."""
    token = sign(KEY, "https://h/p?x=1", b"body", now_seconds=2_000_000_000, jwt_id="jwt_1")
    claims = jwt.decode(
        token, KEY, algorithms=["HS256"], options={"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    )
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"body").digest()).decode()
    assert claims == {
        "iss": "Upstash",
        "sub": "https://h/p?x=1",
        "iat": 2_000_000_000,
        "nbf": 2_000_000_000,
        "exp": 2_000_000_300,
        "jti": "jwt_1",
        "body": digest,
    }
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}


def test_other_key_does_not_verify() -> None:
    token = sign(KEY, "https://h", b"", now_seconds=1, jwt_id="jwt_1")
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs", algorithms=["HS256"])


def test_empty_body_is_hashed_as_zero_bytes() -> None:
    payload = sign(KEY, "https://h", b"", now_seconds=1, jwt_id="jwt_1").split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert claims["body"] == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU="
