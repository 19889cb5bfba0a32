"""The queue SDK's own check beside ours, on generated and mutated tokens: what one accepts, the other accepts."""

import base64
import hashlib
import hmac
import json
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qstash import Receiver

from events.core.signed_times import TOLERANCE_SECONDS
from events.errors import SignatureError
from tests.unit.events.adapters.test_verifier import BODY, BOTH, CURRENT, NEXT, STRANGE, URL, claims

_RECEIVER = Receiver(CURRENT, NEXT)
_SECONDS = st.sampled_from([-1000, -60, -1.5, 0, 60, 1000])
_ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.text(max_size=3)))
_CHANGED = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.one_of(st.just("upstash"), _ANYTHING),
        "sub": st.one_of(st.sampled_from([URL + "/", "https://other"]), _ANYTHING),
        "aud": _ANYTHING,
        "jti": _ANYTHING,
        "body": st.one_of(st.sampled_from([claims(b"other")["body"], claims()["body"].rstrip("=") + "=="]), _ANYTHING),
        "extra": _ANYTHING,
    },
)
_TIMES = st.fixed_dictionaries({}, optional={"nbf": _SECONDS, "iat": _SECONDS, "exp": _SECONDS})
_HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from(["HS256"] * 6 + ["HS512", "none", "hs256"])},
    optional={
        "typ": _ANYTHING,
        "kid": _ANYTHING,
        "crit": st.sampled_from([["b64"], [], ["x"]]),
        "b64": st.sampled_from([True, False, 0]),
    },
)
_AT, _CHARACTER = st.integers(0, 10_000), st.sampled_from("A9-_=.+/ \né")
_MUTATIONS = st.lists(st.tuples(st.sampled_from(["put", "drop", "instead"]), _AT, _CHARACTER), max_size=2)


def _segment(value: Any, pad: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=") + pad


def _token(key: str, header: dict[str, Any], payload: Any, pads: tuple[str, str, str]) -> str:
    signed = f"{_segment(header, pads[0])}.{_segment(payload, pads[1])}"
    digest = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}{pads[2]}"


def _mutated(token: str, mutations: list[tuple[str, int, str]]) -> str:
    for how, position, character in mutations:
        at = position % (len(token) + 1)
        token = token[:at] + ("" if how == "drop" else character) + token[at + (how != "put") :]
    return token


def _we_accept(token: str) -> bool:
    try:
        BOTH.verify(token, BODY, URL)
    except SignatureError:
        return False
    return True


def _receiver_accepts(token: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _RECEIVER.verify(signature=token, body=BODY.decode(), url=URL, clock_tolerance=TOLERANCE_SECONDS)
    except Exception:  # noqa: BLE001 - some claims make it raise what is no refusal of its own
        return False
    return True


_PADS = st.sampled_from([""] * 8 + ["=", "==", "==="])


@settings(max_examples=400)
@given(
    st.sampled_from([CURRENT, CURRENT, NEXT, STRANGE]),
    _HEADERS,
    _CHANGED,
    _TIMES,
    st.tuples(_PADS, _PADS, _PADS),
    st.one_of(st.just([]), _MUTATIONS),
)
def test_what_the_sdk_accepts_is_accepted_and_nothing_else(
    key: str,
    header: dict[str, Any],
    changed: dict[str, Any],
    times: dict[str, Any],
    pads: tuple[str, str, str],
    mutations: list[tuple[str, int, str]],
) -> None:
    """Keys, headers, claims, times and each character of a token."""
    payload = claims(**changed)
    payload |= {name: payload[name] + seconds for name, seconds in times.items()}
    token = _mutated(_token(key, header, payload, pads), mutations)
    assert _we_accept(token) == _receiver_accepts(token)


@pytest.mark.parametrize("payload", [[], "text", None, {}, 7])
def test_a_payload_that_has_no_claims_is_refused_by_both(payload: Any) -> None:
    """Signed or not."""
    token = _token(CURRENT, {"alg": "HS256"}, payload, ("", "", ""))
    assert (_we_accept(token), _receiver_accepts(token)) == (False, False)


@pytest.mark.parametrize("claim", ["nbf", "iat", "exp"])
@given(value=_ANYTHING)
def test_a_time_that_is_none_is_accepted_by_no_more_than_the_sdk(claim: str, value: Any) -> None:
    """The SDK takes a text, or a truth value, for a time; here it is refused."""
    token = _token(CURRENT, {"alg": "HS256"}, claims() | {claim: value}, ("", "", ""))
    assert _receiver_accepts(token) or not _we_accept(token)
