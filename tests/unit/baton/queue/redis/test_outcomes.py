"""What a destination's answer says of the next attempt, in each form of `Retry-After`."""

from email.utils import formatdate

import pytest

from baton.queue.redis.outcomes import answered
from baton.store.transport.http1 import Answer

NOW_MS = 1_795_165_405_000
HOUR, DAY = 3_600, 86_400


FORMS = {
    **dict(zip(("7", "0.5", "0", "-5", " 20 ", "1m30s", "5h"), (7, 0.5, 0, 0, 20, 90, 5 * HOUR), strict=True)),
    f"{5 * HOUR}": 5 * HOUR,
    f"{DAY}": DAY,
    **dict.fromkeys((f"{DAY + 1}", "1e400", "1_000", "nan", "inf", "soon", "", "7\u00b2")),
    formatdate(NOW_MS / 1000 + 90, usegmt=True): 90,
    formatdate(NOW_MS / 1000 + 90).removesuffix(" -0000"): 90,
    formatdate(NOW_MS / 1000 - 90, usegmt=True): 0,
    formatdate(NOW_MS / 1000 + 2 * DAY, usegmt=True): None,
}


@pytest.mark.parametrize(("asked", "seconds"), FORMS.items())
def test_a_wait_of_up_to_a_day_counts_and_any_other_answer_has_none(asked: str, seconds: float | None) -> None:
    answer = Answer()
    answer.status, answer.headers = 503, [(b"Retry-After", asked.encode("latin-1"))]
    assert answered(answer, NOW_MS).wait_ms == (None if seconds is None else pytest.approx(1000 * seconds, abs=1))
