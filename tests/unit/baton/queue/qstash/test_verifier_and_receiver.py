"""The queue SDK's own check beside ours, on generated and mutated tokens: what one accepts, the other accepts."""

import base64
import hashlib
import hmac
import json
import warnings
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qstash import Receiver

from baton.queue.verifier import TOLERANCE_SECONDS
from baton_events.errors import SignatureError
from tests.unit.baton.kit.signing import verify
from tests.unit.baton.queue.qstash.test_verifier import BODY, BOTH, CURRENT, NEXT, STRANGE, URL, claims

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
    return _signed(key, f"{_segment(header, pads[0])}.{_segment(payload, pads[1])}") + pads[2]


def _signed(key: str, segments: str) -> str:
    digest = hmac.new(key.encode(), segments.encode(), hashlib.sha256).digest()
    return f"{segments}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _mutated(token: str, mutations: list[tuple[str, int, str]]) -> str:
    for how, position, character in mutations:
        at = position % (len(token) + 1)
        token = token[:at] + ("" if how == "drop" else character) + token[at + (how != "put") :]
    return token


def _we_accept(token: str) -> bool:
    try:
        verify(BOTH, token, BODY, URL)
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

# Times from which no change of a character leads to within the seconds that only we tolerate.
_LONG: dict[str, Any] = {"iat": 1_000_000_000, "nbf": 1_000_000_000, "exp": 9_999_999_999}


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


@settings(max_examples=400)
@given(_MUTATIONS, _PADS, st.sampled_from(["", "é", "ÿþ", "???>>>"]))
@example([("instead", 182, "-")], "", "")  # the key of a claim that nobody reads becomes no UTF-8
def test_a_segment_that_was_signed_as_it_is_written_is_read_alike(
    mutations: list[tuple[str, int, str]], pad: str, text: str
) -> None:
    """Whoever has a key may sign what is no base64url, or no JSON: one accepts no more than the other."""
    header = _segment({"alg": "HS256"}, "")
    payload = _mutated(_segment(claims(extra=text, **_LONG), pad), [each for each in mutations if each[2] != "."])
    token = _signed(CURRENT, f"{header}.{payload}")
    assert _we_accept(token) == _receiver_accepts(token)


def _token_of(payload: bytes) -> str:
    header = _segment({"alg": "HS256"}, "")
    return _signed(CURRENT, f"{header}.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}")


def _with(written: bytes, **changes: Any) -> bytes:
    return json.dumps(claims(**changes)).encode()[:-1] + b", " + written + b"}"


NO_JSON = (
    b'"extra": "\xff"',
    b'"extra": "\xc0\x80"',
    b'"extra": {"\xff": 1}',
    b'"o\xb4i": "jwt_1"',
    b'"extra": %b' % (b"9" * 5000),
    b'"extra": %b' % (b"[" * 5000 + b"]" * 5000),
    b'"extra": "\n"',
    b'"extra": "\\u12"',
    b'"extra": 01',
    b'"aud": "\xff"',
)
ANY_JSON = (
    b'"extra": "\xc3\xa9\xef\xbf\xbf\xf4\x8f\xbf\xbf"',
    b'"\xc3\xa9": 1e400',
    b'"extra": %b' % (b"9" * 4300),
    b'"extra": "%b"' % (b"9" * 5000),
    b'"extra": %b' % (b"[" * 100 + b"]" * 100),
    b'"extra": 1, "extra": "2"',
    b'"extra": "\xed\xa0\x80"',  # let through by both, though it is no UTF-8
)


@pytest.mark.parametrize("written", [*NO_JSON, *ANY_JSON], ids=lambda written: repr(written[:30]))
def test_what_nobody_reads_must_be_json_too_and_may_be_any(written: bytes) -> None:
    """All of a payload is JSON in UTF-8 (RFC 7519 7.2). Of numbers and depth, a parser may set limits (RFC 8259 9)."""
    token = _token_of(_with(written))
    assert (_we_accept(token), _receiver_accepts(token)) == (written in ANY_JSON,) * 2


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 1), st.binary(max_size=4)), min_size=1, max_size=2))
@example([(95, 1, b"\xb4")])
def test_no_bytes_are_claims_that_are_none_to_the_sdk(mutations: list[tuple[int, int, bytes]]) -> None:
    """Wherever they stand in the payload, and instead of what."""
    payload = _with(b'"extra": {"text": ["a", 1.5, null]}, "aud": null', **_LONG)
    for position, dropped, put in mutations:
        at = position % (len(payload) + 1)
        payload = payload[:at] + put + payload[at + dropped :]
    token = _token_of(payload)
    assert _receiver_accepts(token) or not _we_accept(token)


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(claims(**_LONG)).encode("utf-8-sig"),
        json.dumps(claims(**_LONG)).encode("utf-16"),
        _with(b'"extra": NaN', **_LONG),
        _with(b'"jti": "\\ud800"', **_LONG),
        _with(b'"iss": 7, "iss": "Upstash"', **_LONG),
        _with(b'"exp": 1e13', **_LONG),
        _with(b'"iat": true', **_LONG),
        _with(b'"nbf": "7"', **_LONG),
    ],
    ids=lambda payload: repr(payload[-25:]),
)
def test_what_only_the_sdk_takes_is_known(payload: bytes) -> None:
    """What is no JSON in UTF-8, and claims of no kind that the queue writes: here they are refused."""
    token = _token_of(payload)
    assert (_we_accept(token), _receiver_accepts(token)) == (False, True)


@pytest.mark.parametrize("payload", [[], "text", None, {}, 7])
def test_a_payload_that_has_no_claims_is_refused_by_both(payload: Any) -> None:
    token = _token(CURRENT, {"alg": "HS256"}, payload, ("", "", ""))
    assert (_we_accept(token), _receiver_accepts(token)) == (False, False)


@pytest.mark.parametrize("claim", ["nbf", "iat", "exp"])
@given(value=_ANYTHING)
def test_a_time_that_is_none_is_accepted_by_no_more_than_the_sdk(claim: str, value: Any) -> None:
    token = _token(CURRENT, {"alg": "HS256"}, claims() | {claim: value}, ("", "", ""))
    assert _receiver_accepts(token) or not _we_accept(token)
