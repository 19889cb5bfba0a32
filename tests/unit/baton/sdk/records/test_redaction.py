"""Secrets are replaced by name and by value, and nothing else is."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.sdk.records.redaction import REDACTED, KnownSecrets, is_secret_name, redacted, redacted_json, secrets_in

SECRET_NAMES = [
    *("api_key", "apikey", "API-Key", "x-api-key", "OPENAI_API_KEY", "aws_secret_access_key", "privateKey"),
    *("token", "accessToken", "refresh_token", "password", "dbPassword", "secret", "client_secret", "credentials"),
    *("tokenSecret", "oauth_tokens_secret", "tokensApiKey"),
    *("auth", "basicAuth", "Authorization", "Proxy-Authorization", "Cookie", "set-cookie"),
]
HARMLESS_NAMES = ["key", "keys", "max_tokens", "inputTokens", "tokenizer", "next_page_token", "secretary", "author", ""]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets_are_known_whatever_their_spelling(name: str) -> None:
    assert is_secret_name(name)
    assert redacted({"a": [{name: "hunter2"}]}) == {"a": [{name: REDACTED}]}
    counted = {"input_tokens": 1, name: "hunter2"}
    assert redacted_json(json.dumps(counted)) == f'{{"input_tokens":1,"{name}":"{REDACTED}"}}'


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_other_names_are_left_alone(name: str) -> None:
    """A model needs the token of the next page."""
    assert redacted({name: "x"}) == {name: "x"}


def test_whatever_stands_under_such_a_name_is_replaced_whole() -> None:
    """But flags and empty values, which give nothing away."""
    nothing = {"cookie": "", "secret": None, "api_key": True}
    given = {"token": {"value": "x"}, "secrets": ["a"], "password": 1234}
    assert redacted(given | nothing) == dict.fromkeys(given, REDACTED) | nothing


def test_json_inside_a_text_is_read_and_without_such_names_the_very_same() -> None:
    for text in ('{"a": 1.0}', '{"key": 1}', "{not json, token", '"token"'):
        assert redacted_json(text) == text
    assert redacted_json('{"token": "x", "a": "ü"}') == '{"token":"[redacted]","a":"ü"}'
    half = redacted_json('{"token": "x", "a": "\\ud800"}')
    assert half == '{"token":"[redacted]","a":"\\ud800"}', "an escape stays one, as half a character cannot be stored"
    body = json.dumps({"user": "ada", "password": "hunter2"})
    assert redacted({"body": body}) == {"body": '{"user":"ada","password":"[redacted]"}'}
    assert redacted({"body": "{password: hunter2"}) == {"body": "{password: hunter2"}


def test_the_texts_under_such_names_are_found() -> None:
    assert secrets_in({"a": [{"password": "p"}], "token": "t", "secret": {"key": "k"}, "b": "c"}) == ("t", "p")


@pytest.mark.parametrize("value", ["correct horse", 'quo"ted\\back', "ümlaut-ümlaut", "a.*b+c?d()", "line\nbreak"])
def test_a_known_value_is_hidden_wherever_it_stands(value: str) -> None:
    """In texts, in JSON values and names, and in JSON texts however they are escaped."""
    secrets = KnownSecrets([value])
    assert secrets.hide(f"<{value}>") == "<[redacted]>"
    assert secrets.hide_in({"a": [f"<{value}>", 1], value: None}) == {"a": ["<[redacted]>", 1], REDACTED: None}
    for text in (json.dumps([value]), json.dumps([value], ensure_ascii=False)):
        assert json.loads(secrets.hide_in_json(text)) == [REDACTED]


@pytest.mark.parametrize("around", [0, 1, 41, 42, 45, 5_000])
@pytest.mark.parametrize("value", ["sk-first-secret", "a/second+one=", 'quo"ted"one'])
def test_a_secret_is_hidden_in_short_and_in_long_texts(value: str, around: int) -> None:
    secrets = KnownSecrets(["sk-first-secret", "a/second+one=", 'quo"ted"one'])
    text = f"{'x' * around}{value}{'y' * around}"
    assert secrets.hide(text) == text.replace(value, REDACTED)
    assert json.loads(secrets.hide_in_json(json.dumps({"a": text}))) == {"a": text.replace(value, REDACTED)}
    innocent = text.replace(value, value[:-1])
    assert (secrets.hide(innocent), secrets.hide_in_json(innocent)) == (innocent, innocent)


def test_only_whole_texts_that_are_long_enough_are_hidden() -> None:
    """Short ones would be found in innocent words, and a number that looks like a secret stays JSON."""
    assert KnownSecrets(["", "test", "1234567"]).hide("test 1234567") == "test 1234567"
    assert KnownSecrets(["secret-1", "secret-12345"]).hide("secret-12345!") == "[redacted]!"
    assert KnownSecrets(["12345678"]).hide_in_json('{"a":12345678,"b":"12345678"}') == '{"a":12345678,"b":"[redacted]"}'


def test_the_values_of_a_call_are_known_as_well() -> None:
    """Besides those from before, which are not changed."""
    before = KnownSecrets(["known-value"])
    both = before.and_those_in({"password": "hunter2hunter2", "a": "b"})
    assert both.hide("known-value hunter2hunter2") == "[redacted] [redacted]"
    assert before.hide("hunter2hunter2") == "hunter2hunter2"
    assert "hunter2" not in repr(both)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(JSON_VALUES, st.sampled_from(SECRET_NAMES), st.text(min_size=8, max_size=20))
def test_a_planted_secret_is_never_left(value: Any, name: str, secret: str) -> None:
    planted = f"\u2603{secret}\u2603"
    by_name = json.dumps(redacted({"a": [value, {name: planted}]}), ensure_ascii=False)
    assert json.dumps(planted, ensure_ascii=False)[1:-1] not in by_name
    by_value = KnownSecrets([planted]).hide_in_json(json.dumps({"a": [value, f"x{planted}y", {planted: 1}]}))
    assert planted not in json.dumps(json.loads(by_value), ensure_ascii=False)
    assert json.dumps(planted)[1:-1] not in by_value


@given(secrets=st.lists(st.text('abé"\\', min_size=8, max_size=10), max_size=3), data=st.data())
def test_a_text_in_pieces_is_hidden_as_the_whole_is(secrets: list[str], data: st.DataObject) -> None:
    """Wherever it is cut; what is held back is the beginning of a secret."""
    known = KnownSecrets(secrets)
    text = "".join(data.draw(st.lists(st.sampled_from([*secrets, *'abé"\\', "abab"]), max_size=6)))
    shown, held = "", ""
    for piece in data.draw(st.lists(st.integers(0, len(text)), max_size=5).map(lambda cuts: _pieces(text, cuts))):
        more, held = known.hide_so_far(held + piece)
        shown += more
    assert shown + known.hide(held) == known.hide(text)
    assert not held or any(form.startswith(held) for secret in secrets for form in _forms(secret))


def _pieces(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


def _forms(secret: str) -> tuple[str, ...]:
    return (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
