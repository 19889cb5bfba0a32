"""How a step is redriven for which its endpoint had no place: the longer that goes on, the less often. Pure.

That says nothing about the step, so it does not count against its budget, which is of what cannot be delivered
(functions/baton/core/ending.py).
"""

# What an endpoint that has no place answers, or whoever stands before it: its host is away, or has too much to do.
THROTTLED = frozenset({429, 502, 503, 504})
# Somebody is told, after about half an hour; and after some days it is over.
THROTTLED_ALERT, THROTTLED_BUDGET = 6, 300

_FIRST_PAUSE_MS, _LONGEST_PAUSE_MS = 30_000, 960_000
_DOUBLED = 5


def redriven_at_ms(redriven: int, now_ms: int) -> int:
    """When a step is redriven for the so-manieth time, from 1: after a pause, and before two.

    A multiple of the pause, so that all who redrive the same step say the same time, and the queue takes it once.
    """
    pause_ms = min(_LONGEST_PAUSE_MS, _FIRST_PAUSE_MS << min(redriven - 1, _DOUBLED))
    return (now_ms // pause_ms + 2) * pause_ms
