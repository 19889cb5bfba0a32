"""How long one piece of work may take, and an invocation with all of its pieces.

A tool may have a limit of its own, below the one of all work.
"""

import math
from collections.abc import Iterable, Mapping

from baton.configuration.settings import Settings
from baton.core.work_items import ItemKind
from baton.runtime.policy import LEASE_MARGIN_MS
from baton.runtime.spec import Spec
from baton.tools.tool import Tool
from baton_events.messages import delivery_seconds

# What a function that does no work may need for one more result: it is claimed and committed, also by a slow store.
TAKING_IN_SECONDS = 30


def work_limits_ms(work_timeout_seconds: float, tools: Iterable[Tool]) -> Mapping[ItemKind, int]:
    """The limits of a model's turn, of remembering a job, and of whichever tool may run longest.

    A call that a crash has cut off is claimed for no longer than that (decisions/0006-first-commit-wins).
    """
    longest_seconds = min(work_timeout_seconds, max((tool.timeout_seconds for tool in tools), default=0))
    all_ms = math.ceil(work_timeout_seconds * 1000)
    return {
        ItemKind.LOOP: all_ms,
        ItemKind.REMEMBER: all_ms,
        ItemKind.CALL: math.ceil(longest_seconds * 1000),
    }


def guard_ms(spec: Spec, settings: Settings) -> int:
    """How long a function may continue in place: one more piece of work still fits into every limit afterwards."""
    piece_seconds = settings.work_timeout_seconds if spec.works else TAKING_IN_SECONDS
    limit_seconds = min(spec.timeout_seconds, delivery_seconds(spec.path, settings.message_timeout_seconds))
    return max(0, (limit_seconds - piece_seconds) * 1000 - LEASE_MARGIN_MS)
