"""How long one piece of work may take: a tool may have a limit of its own, below the one of all work."""

import math
from collections.abc import Iterable, Mapping

from events.core.legs import LegKind
from functions.tools.tool import Tool


def work_limits_ms(work_timeout_seconds: float, tools: Iterable[Tool]) -> Mapping[LegKind, int]:
    """The limits of a model's turn, of remembering a job, and of whichever tool may run longest.

    A call that a crash has cut off is claimed for no longer than that (DESIGN 3, "Claim").
    """
    longest_seconds = min(work_timeout_seconds, max((tool.timeout_seconds for tool in tools), default=0))
    all_ms = math.ceil(work_timeout_seconds * 1000)
    return {
        LegKind.LOOP: all_ms,
        LegKind.REMEMBER: all_ms,
        LegKind.CALL: math.ceil(longest_seconds * 1000),
    }
