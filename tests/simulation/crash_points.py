"""The crash points that schedules have met: before and after each call of the product to the world outside.

Each such call is an await at which a process may die; the table says how often it was reached, and how often one did.
"""

from collections import Counter

from tests.simulation.play import Summary


def unmet(summary: Summary) -> list[str]:
    """The calls, by whichever kind of invocation, before or after which no invocation has crashed."""
    crashed = _crashes(summary)
    return [f"{call}, {when}" for call in _calls(summary) for when in ("before", "after") if not crashed[call, when]]


def table(summary: Summary) -> str:
    """Each call: how often it was made, and how many invocations crashed before and after it was applied."""
    calls, crashed = _calls(summary), _crashes(summary)
    points = len(calls) * 2
    missed = summary.missed()
    lines = [f"{'await':<20} {'calls':>10} {'crashed before':>15} {'crashed after':>14}"]
    lines += [
        f"{call:<20} {count:>10} {crashed[call, 'before']:>15} {crashed[call, 'after']:>14}"
        for call, count in sorted(calls.items())
    ]
    kinds = 2 * len(summary.calls)
    lines += [f"crash points (before and after each await): {points - len(unmet(summary))} of {points} met"]
    lines += [f"by kind of invocation, too: {kinds - len(missed)} of {kinds} met"]
    return "\n".join([*lines, *(f"  not met: {kind}, {call}, {when}" for kind, call, when in missed)])


def _calls(summary: Summary) -> Counter[str]:
    calls: Counter[str] = Counter()
    for (_, call), count in summary.calls.items():
        calls[call] += count
    return calls


def _crashes(summary: Summary) -> Counter[tuple[str, str]]:
    crashes: Counter[tuple[str, str]] = Counter()
    for (_, call, when), count in summary.crashes.items():
        crashes[call, when] += count
    return crashes
