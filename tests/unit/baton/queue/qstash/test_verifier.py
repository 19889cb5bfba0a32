"""The queue's signature, with real tokens: what is accepted, and everything that is not."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.engine.work_items import CLOCK_ERROR_MS
from baton.queue.verifier import TOLERANCE_SECONDS, QueueVerifier
from baton.settings.settings import Settings
from baton_events.errors import SignatureError
from tests.fakes.clock import FakeClock
from tests.unit.baton.kit.signing import verify

CURRENT, NEXT, STRANGE = "sig_" + "c" * 40, "sig_" + "n" * 40, "sig_" + "s" * 40
URL = "https://fn.example.com/api/v2/workers/agent-loop"
BODY = '{"a":"é"}'.encode()
BOTH = QueueVerifier(Settings(current_signing_key=CURRENT, next_signing_key=NEXT))


def claims(of: bytes = BODY, **changes: Any) -> dict[str, Any]:
    """What the queue claims (qstash.md 9); None takes a claim away."""
    now = int(time.time())  # noqa: TID251 - tokens are checked against the real time
    found = {
        "iss": "Upstash",
        "sub": URL,
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "jti": "jwt_1",
        "body": base64.urlsafe_b64encode(hashlib.sha256(of).digest()).decode(),
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


def signed(key: str = CURRENT, of: bytes = BODY, **changes: Any) -> str:
    """A token as the queue makes it, with some claims changed."""
    return jwt.encode(claims(of, **changes), key, algorithm="HS256")


def refused(signature: str, body: bytes = BODY, url: str = URL, verifier: QueueVerifier = BOTH) -> str:
    with pytest.raises(SignatureError) as caught:
        verify(verifier, signature, body, url)
    return str(caught.value)


@pytest.mark.parametrize("key", [CURRENT, NEXT])
def test_the_current_and_the_next_key_are_accepted(key: str) -> None:
    verify(BOTH, signed(key), BODY, URL)


@pytest.mark.parametrize("settings", [Settings(current_signing_key=CURRENT), Settings(next_signing_key=CURRENT)])
def test_one_key_is_enough(settings: Settings) -> None:
    """And the other, unset, accepts nothing: an empty key would be anybody's."""
    verifier = QueueVerifier(settings)
    verify(verifier, signed(CURRENT), BODY, URL)
    refused(signed(NEXT), verifier=verifier)
    refused(forged("", {"alg": "HS256", "typ": "JWT"}), verifier=verifier)


@pytest.mark.parametrize(
    "public",
    [
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 a@b",
        '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}',
    ],
)
def test_a_key_that_may_be_public_accepts_nothing(public: str) -> None:
    """As in the SDK: set by mistake, it would let anybody sign who has read it."""
    header, verifier = {"alg": "HS256", "typ": "JWT"}, QueueVerifier(Settings(current_signing_key=public))
    refused(forged(public, header), verifier=verifier)
    refused(forged(public, header), verifier=verifier)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1_700_000_000},
        {"nbf": 4_000_000_000},
        {"iss": "Somebody"},
        {"sub": None},
        {"exp": None},
        {"nbf": None},
        {"body": None},
        {"body": 7},
    ],
    ids=str,
)
def test_a_claim_that_is_wrong_or_missing_is_refused(changes: dict[str, Any]) -> None:
    """Expired, not valid yet, of somebody else, without what it must have."""
    refused(signed(**changes))


@pytest.mark.parametrize(
    "url",
    [
        "https://fn.example.com/api/v2/workers/tool-executor",
        "http://fn.example.com/api/v2/workers/agent-loop",
        URL + "/",
        URL + "?a=1",
        URL.upper(),
    ],
)
def test_a_token_for_another_url_is_refused(url: str) -> None:
    refused(signed(), url=url)


@pytest.mark.parametrize("body", [b"", b'{"a":"e"}', BODY + b" ", BODY[:-1]])
def test_a_body_that_was_swapped_is_refused(body: bytes) -> None:
    """Even by one byte."""
    refused(signed(), body=body)


def forged(key: str, header: dict[str, Any]) -> str:
    def encoded(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    head = f"{encoded(header)}.{encoded(claims())}"
    mac = hmac.new(key.encode(), head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS512", "RS256", ""])
def test_another_algorithm_is_refused(algorithm: str) -> None:
    """Signed with the right key or not at all; the forger of this file can make a valid token."""
    verify(BOTH, forged(CURRENT, {"alg": "HS256", "typ": "JWT"}), BODY, URL)
    token = forged(CURRENT, {"alg": algorithm, "typ": "JWT"})
    refused(token)
    refused(token.rsplit(".", 1)[0] + ".")


def test_a_strange_key_is_refused_without_a_word_of_keys_and_claims() -> None:
    """Whoever forges has no key of ours."""
    assert refused(signed(STRANGE)) == "the request's signature is not valid for this URL and body"
    text = refused(signed(STRANGE)) + refused(signed(sub="https://other"))
    assert not any(secret in text for secret in (CURRENT, NEXT, STRANGE, "https://other", "Upstash"))


def test_without_a_key_nothing_is_valid() -> None:
    verifier = QueueVerifier(Settings())
    for token in (signed(), forged("", {"alg": "HS256", "typ": "JWT"}), ""):
        assert "set QSTASH_CURRENT_SIGNING_KEY" in refused(token, verifier=verifier)


SIGNED_AT = 1_800_000_000


@given(st.integers(-1_000_000, 1_000_000))
def test_a_signature_counts_while_clocks_may_still_agree(after_ms: int) -> None:
    """Five minutes, and five seconds before and after, since the queue's clock is not this one's."""
    assert TOLERANCE_SECONDS * 1000 == CLOCK_ERROR_MS == 5_000
    clock = FakeClock()
    clock.ms = SIGNED_AT * 1000 + after_ms
    verifier = QueueVerifier(Settings(current_signing_key=CURRENT), clock)
    token = signed(iat=SIGNED_AT, nbf=SIGNED_AT, exp=SIGNED_AT + 300)
    if -1000 * TOLERANCE_SECONDS <= after_ms < 1000 * (300 + TOLERANCE_SECONDS):
        verify(verifier, token, BODY, URL)
    else:
        refused(token, verifier=verifier)


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@given(value=st.one_of(st.text(max_size=12), st.booleans(), st.lists(st.integers(), max_size=2), st.just(float("nan"))))
def test_what_is_no_time_is_refused(claim: str, value: Any) -> None:
    """Also what Python could compare: a truth value, and what is no number."""
    changes: dict[str, Any] = {claim: value}
    refused(signed(**changes))


@given(st.sampled_from(["", " ", "a.b.c", "..", "Bearer x", "é", "\x00", "eyJ" * 10_000]) | st.text(max_size=300))
def test_no_text_is_a_signature(signature: str) -> None:
    refused(signature)


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_no_bit_of_a_token_may_change(position: int, bit: int) -> None:
    """Wherever it is, but for the bits that base64 leaves unused at the end."""
    token = signed()
    at = position % (len(token) - 1)
    changed = chr(ord(token[at]) ^ (1 << bit))
    if changed == token[at] or (token[at + 1] == "." or at == len(token) - 1):
        return
    refused(token[:at] + changed + token[at + 1 :])


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        pytest.param(BODY, {"body": claims()["body"].rstrip("=")}, id="without padding, which both SDKs strip"),
        pytest.param(b"", {}, id="an empty body is signed as zero bytes"),
        pytest.param(b"\xff\xfe", {}, id="a body that is not UTF-8"),
    ],
)
def test_a_body_is_judged_by_its_bytes(body: bytes, changes: dict[str, Any]) -> None:
    token = signed(of=body, **changes)
    verify(BOTH, token, body, URL)
    refused(token, body=body + b"\xff")
