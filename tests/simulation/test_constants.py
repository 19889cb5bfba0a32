"""The simulated world has the product's numbers: they are imported in one file, and no other one repeats them."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from baton.settings.settings import Settings
from baton.testing.asgi import Answer
from baton.testing.queue import callback_of
from baton_events.messages import Outgoing
from baton_events.publisher import failure_callback_headers
from baton_local.qstash.core.retry_delay import retry_delay_ms
from tests.simulation.delivery import retry_seconds
from tests.simulation.queue import Message

_HERE, _ROOT = Path(__file__).parent, Path(__file__).parents[2]
_UNIT = re.compile(r"_(MS|SECONDS|BYTES|CHARS)$")


def _stem(name: str) -> str:
    return _UNIT.sub("", name.lstrip("_").upper())


def _numbers(folder: Path) -> Iterator[tuple[str, str]]:
    """Each constant of a module that is written as a number: its file and its name."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and _is_number(node.value):
                names = (name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))
                yield from ((path.name, name) for name in names if name.isupper())


def _is_number(value: ast.expr) -> bool:
    return not any(isinstance(node, ast.Name | ast.Call | ast.Attribute) for node in ast.walk(value)) and any(
        isinstance(node, ast.Constant) and isinstance(node.value, int | float) for node in ast.walk(value)
    )


def test_no_number_of_the_product_is_repeated() -> None:
    """Whoever changes one of them changes the simulated world, too."""
    product = {
        _stem(name) for folder in ("events/baton_events", "functions/baton") for _, name in _numbers(_ROOT / folder)
    }
    product |= {_stem(field.name) for field in fields(Settings)}
    assert len(product) > 200
    # A setting that these worlds choose, and something else than what the product calls so.
    chosen = {("scripts.py", "RESULT_LIMIT_BYTES"), ("speaking.py", "_LONGEST_PAUSE_SECONDS")}
    # Only names that say enough: `_MOST` and its like mean something else in each file.
    telling = {stem for stem in product if "_" in stem}
    repeated = [found for found in _numbers(_HERE) if _stem(found[1]) in telling and found not in chosen]
    assert repeated == []


@pytest.mark.parametrize("retried", [0, 1, 2])
def test_a_failure_callback_is_delivered_when_the_product_requests_it(retried: int) -> None:
    """Not by the queue's own delays, which are longer than most outages."""
    outgoing = Outgoing(body="", url="https://baton.test/failed")
    source = Message("msg_1", "source", 1, "loop", outgoing.url, outgoing, 0.0, 0.0)
    report = callback_of("msg_1", outgoing, retried, None, 0)
    callback = Message("msg_2", "callback", 2, "callback", outgoing.url, report, 0.0, 0.0, source=source)
    expression = failure_callback_headers()["Upstash-Failure-Callback-Retry-Delay"]
    assert retry_seconds(callback, retried) == retry_delay_ms(expression, retried) / 1000
    assert retry_seconds(source, retried) == retry_delay_ms(outgoing.waits.expression, retried) / 1000


def test_a_message_is_delivered_again_when_its_endpoint_requests_it() -> None:
    """The queue accepts that first (qstash.md 10, rule 2)."""
    outgoing = Outgoing(body="", url="https://baton.test/work")
    message = Message("msg_1", "work", 1, "loop", outgoing.url, outgoing, 0.0, 0.0)
    assert retry_seconds(message, 0, Answer(503, ((b"retry-after", b"77"),), b"")) == 77
    assert retry_seconds(message, 0, Answer(503, (), b"")) == retry_seconds(message, 0)
