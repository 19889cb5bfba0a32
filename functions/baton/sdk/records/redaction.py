"""Redaction of secrets: values under a secret's name are replaced, and so is every value known as a secret.

By name: `redacted`, for JSON values. By value: `KnownSecrets`, for texts, where a secret may stand anywhere. Invariant:
a secret is replaced whole, and JSON stays JSON. Must not: know where the known values come from.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from baton_events.ids import canonical_json
from baton_events.values.text import is_storable

REDACTED = "[redacted]"
# Beside a result, in what is kept with it: the value as code gets it, which no person, model or log is shown.
OWN_VALUE = "value"
# A shorter value would be found in innocent words.
SHORTEST_SECRET_CHARS = 8

# Ends of names, without separators and case: `x-api-key`, `accessToken`, `DB_PASSWORD`; `max_tokens` is none.
_SECRET_ENDS = (
    "accesskey",
    "apikey",
    "apikeys",
    "auth",
    "authorization",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "secret",
    "secretkey",
    "secrets",
    "signingkey",
    "token",
)
# A model needs these to request the next page, and they grant no access.
_HARMLESS_ENDS = ("continuationtoken", "nexttoken", "pagetoken", "synctoken")
_SEPARATORS = r"[^a-z0-9]+"
# A JSON text without any of these is not parsed: most have none.
_PARTS_OF_NAMES = ("key", "auth", "cookie", "credential", "pass", "secret", "token")
# So ends a name, no secret's, that each answer of a model has. Not the word alone: `tokenSecret` begins with it.
_COUNTED = 'tokens"'
# Each turn goes through all messages: these types are skipped by their class alone.
_BARE = frozenset({int, float, bool, type(None)})
LEAVES = _BARE | {str}
_JSON_BEGINS = ("{", "[")
# From here on a text is looked through for each secret, many times as fast as by an expression for all.
_LONG_CHARS = 100


@lru_cache(1024)
def is_secret_name(name: str) -> bool:
    """Return whether a value of this name is a secret."""
    plain = re.sub(_SEPARATORS, "", name.lower())
    return plain.endswith(_SECRET_ENDS) and not plain.endswith(_HARMLESS_ENDS)


def redacted(value: Any) -> Any:
    """Redact a JSON value: replace values under a secret's name, at any depth, also in JSON inside a text."""
    if isinstance(value, str):  # most are
        return redacted_json(value) if value[:1] in _JSON_BEGINS else value
    if value.__class__ in _BARE:
        return value
    match value:
        case dict() | Mapping():
            return {
                name: REDACTED
                # A flag or an empty value under a secret's name reveals nothing, and shows that it is empty.
                if item and item is not True and is_secret_name(str(name))
                else item
                if item.__class__ in _BARE or (isinstance(item, str) and item[:1] not in _JSON_BEGINS)
                else redacted(item)
                for name, item in value.items()
            }
        case list() | tuple():
            return [redacted(item) for item in value]
        case _:
            return value


def outcome_for_code(shown: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return an outcome as it is recorded for code: as it is shown, with its own value beside it where they differ."""
    if "ok" not in own or own["ok"] == shown["ok"]:
        return dict(shown)
    return {**shown, "kept": {OWN_VALUE: own["ok"]}}


def own_value(outcome: Mapping[str, Any]) -> Any:
    """Return the value of an outcome as code gets it."""
    return (outcome.get("kept") or {}).get(OWN_VALUE, outcome.get("ok"))


def redacted_json(text: str) -> str:
    """Redact a JSON text; any other text stays as it is."""
    lower = text.lower().replace(_COUNTED, '"')
    for part in _PARTS_OF_NAMES:  # many times as fast as an expression
        if part in lower:
            break
    else:
        return text
    try:
        value = json.loads(text)
        shown = redacted(value)
    except (ValueError, RecursionError):
        return text
    return text if shown == value else _dump(shown)


def secrets_in(value: Any) -> tuple[str, ...]:
    """Return the texts under a secret's name, for use as known secrets."""
    match value:
        case dict() | Mapping():
            own: list[str] = []
            inner: list[str] = []
            for name, item in value.items():
                if isinstance(item, str):
                    own += [item] if is_secret_name(str(name)) else []
                elif item.__class__ not in _BARE:
                    inner += secrets_in(item)
            return (*own, *inner)
        case list() | tuple():
            return tuple(one for item in value for one in secrets_in(item))
        case _:
            return ()


class KnownSecrets:
    """Values that must not be shown in any text; those under 8 characters are left out."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = tuple(sorted({value for value in values if len(value) >= SHORTEST_SECRET_CHARS}))
        # Also as written in JSON; the longest first, since one may begin as another.
        forms = {form for value in self._values for form in (value, json.dumps(value)[1:-1], _dump(value)[1:-1])}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None
        self._forms = tuple(longest_first)
        self._longest_chars = len(longest_first[0]) if forms else 0
        self._first: dict[str, list[str]] = {}
        for form in longest_first:
            self._first.setdefault(form[0], []).append(form)

    def __repr__(self) -> str:
        return f"KnownSecrets({len(self._values)} values)"

    def and_those_in(self, value: Any) -> "KnownSecrets":
        """Return these secrets and the texts under a secret's name in a JSON value."""
        more = secrets_in(value)
        return KnownSecrets((*self._values, *more)) if more else self

    def hide(self, text: str) -> str:
        if self._pattern is None or (len(text) >= _LONG_CHARS and not any(map(text.__contains__, self._forms))):
            return text
        return text and self._pattern.sub(REDACTED, text)

    def hide_so_far(self, text: str) -> tuple[str, str]:
        """Split the beginning of a text that may continue into its redacted part and what may be part of a secret.

        With the second part put before the next piece, the redacted parts together equal `hide` of the whole text.
        """
        if self._pattern is None:
            return text, ""
        shown, at = "", 0
        held_at = self._may_begin(text, at)
        while (found := self._pattern.search(text, at)) and found.start() < held_at:
            shown, at = f"{shown}{text[at : found.start()]}{REDACTED}", found.end()
            held_at = self._may_begin(text, at)
        return shown + text[at:held_at], text[held_at:]

    def _may_begin(self, text: str, at: int) -> int:
        """Return the first position at which a secret may begin without ending; else the text's end."""
        for place in range(max(at, len(text) - self._longest_chars + 1), len(text)):
            forms, left = self._first.get(text[place]), len(text) - place
            if forms and any(len(form) > left and form.startswith(text[place:]) for form in forms):
                return place
        return len(text)

    def hide_in(self, value: Any) -> Any:
        """Replace the secrets in a JSON value, in texts and in names; most have none, as their text shows at once."""
        if self._pattern is None or value.__class__ in _BARE:
            return value
        try:
            if value.__class__ is dict and not any(map(canonical_json(value).__contains__, self._forms)):
                return value
        except (TypeError, ValueError):  # no JSON
            pass
        return self._hidden(value)

    def _hidden(self, value: Any) -> Any:
        match value:
            case str():
                return self.hide(value)
            case dict() | Mapping():
                return {self.hide(name): self._hidden(item) for name, item in value.items()}
            case list() | tuple():
                return [self._hidden(item) for item in value]
            case _:
                return value

    def hide_in_json(self, text: str) -> str:
        return _dump(self.hide_in(json.loads(text))) if any(map(text.__contains__, self._forms)) else text


def _dump(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Halves of characters stay the escapes that they were.
    return text if is_storable(text) else json.dumps(value, separators=(",", ":"))


def copied_json(value: Any) -> Any:
    """Copy the objects and lists of JSON: validators may change what they are given."""
    if isinstance(value, dict):
        return {name: item if item.__class__ in LEAVES else copied_json(item) for name, item in value.items()}
    return [copied_json(item) for item in value] if isinstance(value, list) else value
