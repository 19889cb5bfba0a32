"""Whether this machine's clock and the queue's agree. Pure.

A signature says from when until when it is valid, five minutes, and is checked without any tolerance (qstash.md 9): a
clock that is a little late already refuses what was just signed.
"""

from baton_local.doctor.finding import Finding, failed, ok, warning

CHECK = "clock"
_LATE_MS = 1_000
_EARLY_MS, _TOO_EARLY_MS = 60_000, 240_000
_WAY_OUT = "let the clock be set by NTP; if the functions run on other machines, theirs is the one that counts"


def judge_clock(queue_ms: int, before_ms: int, after_ms: int) -> Finding:
    """What a message's time by the queue says, which was published between two times by this machine's clock."""
    late_ms, early_ms = queue_ms - after_ms, before_ms - queue_ms
    if late_ms > _LATE_MS:
        text = f"this machine's clock is {late_ms / 1000:.1f} s behind the queue's: signatures seem not yet valid"
        return failed(CHECK, text, _WAY_OUT)
    if early_ms > _TOO_EARLY_MS:
        text = f"this machine's clock is {early_ms / 1000:.0f} s ahead of the queue's: signatures seem too old"
        return failed(CHECK, text, _WAY_OUT)
    if early_ms > _EARLY_MS:
        return warning(CHECK, f"this machine's clock is {early_ms / 1000:.0f} s ahead of the queue's", _WAY_OUT)
    return ok(CHECK, "agrees with the queue's")
