"""What the queue delivers, drawn by chance and signed: it is applied, or refused with a status of its own."""

import json
import re

import pytest

from baton.server.app import SPECS
from tests.unit.baton.kit.edge import LOOP, Edge
from tests.unit.baton.kit.signing import signature
from tests.unit.baton.kit.stage import BASE
from tests.values.odd import Drawn

_VALUE = '("[^"]*"|[0-9]+|null|true|\\{\\}|\\{[^{}]*\\}|\\[\\])'
_ENDS = (" ", "\n", "x", "\0", "{}", "\ufeff")
_NUMBERS = ("1.0", "1e0", "-1", "9" * 5_000, "1e400", "NaN", "01")
_IDS, _RETRIED = ("", "a" * 5_000, "a b", "../x"), ("", "-1", "1.5", "9" * 30, "0x1", "1e3", " 1")
_KINDS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "")
# Delivered, malformed for ever, forged, or later.
STATUSES = {200, 489, 401, 429, 503}


def _body(drawn: Drawn, text: str) -> bytes:
    chance, name = drawn.random, drawn.random.choice(list(json.loads(text)))
    ways = (
        lambda: re.sub(f'("{name}":){_VALUE}', lambda found: found[1] + drawn.json(), text, count=1),
        lambda: f'{text[:-1]}, "{name}": {drawn.json()}}}',
        lambda: text + chance.choice((*_ENDS, text)),
        lambda: f"\ufeff{text}",
        lambda: text.replace('"type"', '"t\\u0079pe"'),
        lambda: re.sub(":([0-9]+)", lambda _: f":{chance.choice(_NUMBERS)}", text),
        lambda: "[" * 5_000 + text,
        drawn.json,
        lambda: text[: chance.randrange(len(text))],
    )
    made = chance.choice(ways)().encode(errors="surrogatepass")
    return made if chance.random() < 0.95 else chance.choice((made.decode(errors="replace").encode("utf-16"), b"\xff"))


def _headers(drawn: Drawn, url: str, body: bytes) -> dict[str, str]:
    chance, found = drawn.random, dict[str, str]()
    if chance.random() < 0.2:
        found["upstash_message_id"] = chance.choice(_IDS)
    if chance.random() < 0.2:
        found["upstash_retried"] = chance.choice(_RETRIED)
    if chance.random() < 0.2:
        found["content_type"] = chance.choice(_KINDS)
    if chance.random() < 0.05:
        signed = signature(url, body)
        head, claims, digest = signed.split(".")
        odd = (f"{signed}=", signed.replace("-", "+"), f"{signed}.{digest}", f"{head}..{digest}", f"Bearer {signed}")
        found["upstash_signature"] = chance.choice((*odd, signed.upper(), f"{head}.{claims}.", signed * 50))
    return found


@pytest.mark.parametrize("seeds", [range(400), pytest.param(range(400, 4_000), marks=pytest.mark.long)])
async def test_no_delivery_is_an_error_of_ours(seeds: range) -> None:
    edge = Edge()
    text = (await edge.first_event()).decode()
    for seed in seeds:
        drawn = Drawn(seed)
        url = f"{BASE}{drawn.random.choice(SPECS).path}" if drawn.random.random() < 0.3 else LOOP
        body = _body(drawn, text)
        answer = await edge.post(body, url, **_headers(drawn, url, body))
        assert answer.status_code in STATUSES, (seed, body[:200], answer.text)
        assert "Traceback" not in answer.text
