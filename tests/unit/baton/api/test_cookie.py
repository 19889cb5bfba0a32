"""A cookie says who is logged in, and nothing that was not signed for that says so."""

from dataclasses import replace

from baton.api.cookie import Signer
from tests.unit.baton.api.client import with_keys

CONTENT = {"id": "s", "key": "k", "until_ms": 10}


def test_a_session_is_read_until_its_end() -> None:
    signer = Signer(with_keys())
    cookie = signer.signed("session", CONTENT)
    session = signer.session(cookie, 9)
    assert session is not None
    assert (session.id, session.key) == ("s", "k")
    assert signer.session(cookie, 10) is None


def test_what_was_signed_for_something_else_is_no_session() -> None:
    signer = Signer(with_keys())
    cookie = signer.signed("session", CONTENT)
    text, _, signature = cookie.partition(".")
    later = signer.signed("session", CONTENT | {"until_ms": 99}).partition(".")[0]
    for other in (
        signer.signed("said", CONTENT),
        f"{later}.{signature}",
        f"{text}.{signature[:-1]}",
        text,
        f".{signature}",
    ):
        assert signer.session(other, 1) is None


def test_another_deployment_or_other_keys_read_nothing() -> None:
    """So changing a setting ends every login."""
    settings = with_keys()
    cookie = Signer(settings).signed("session", CONTENT)
    for other in (
        replace(settings, api_keys=""),
        replace(settings, qstash_token="new"),
        replace(settings, redis_token="new"),
    ):
        assert Signer(other).session(cookie, 1) is None
    assert Signer(replace(settings, max_concurrent_jobs=9)).session(cookie, 1) is not None


def test_each_session_has_forms_of_its_own() -> None:
    signer = Signer(with_keys())
    one, other = (signer.session(signer.signed("session", CONTENT | {"id": name}), 1) for name in ("a", "b"))
    assert one is not None
    assert other is not None
    assert signer.fits(one, signer.form_token(one))
    assert not signer.fits(one, signer.form_token(other))
    assert not signer.fits(one, "")
