"""Defects of sealed texts, planted in worlds whose keys rotate."""

from typing import Any, Never

from baton.store.redis.tree import attempt
from baton_events.errors import UnreadablePayloadError
from baton_events.sealing import Sealing
from tests.simulation.plan import SEALED_SEEDS, WAITING_SEEDS
from tests.simulation.planting import defects, replaced


def _in_clear(text: str | None) -> str | None:
    return None if text is None else str(text)


def _without_a_key(_self: Sealing, key_id: str, *_of: Any) -> Never:
    raise UnreadablePayloadError(key_id)


DEFECTS = defects(
    SEALED_SEEDS + WAITING_SEEDS,
    what_is_refused_met_a_fault={
        "a condition compares a text in clear with a sealed one": replaced(attempt, "kept_form", _in_clear),
        "no process has the key of what is kept": replaced(Sealing, "_opened", _without_a_key),
    },
)
