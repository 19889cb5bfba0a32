"""How values look."""

import pytest

from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.sdk.records.transcript import Failure
from baton.server.console import shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (59, "59 s ago"),
        (61, "1 min ago"),
        (7300, "2 h ago"),
        (200_000, "2 d ago"),
        (-90, "in 1 min"),
        (-43_199, "in 12 h"),
        (-43_200, "today 18:00 UTC"),
        (-70_000, "tomorrow 01:26 UTC"),
        (-86_394, "tomorrow 05:59 UTC"),
        (-172_800, "Saturday 06:00 UTC"),
        (-604_800, "22 Jan 1970 06:00 UTC"),
    ],
)
def test_times_are_reported_from_now_and_those_to_come_by_their_day(seconds: int, text: str) -> None:
    now_ms = (14 * 86_400 + 6 * 3_600) * 1_000  # a Thursday
    assert shown.ago(now_ms - seconds * 1000, now_ms) == text


def test_a_text_is_split_at_its_times() -> None:
    at_ms = shown.ms("2026-11-20T09:03:25.120Z")
    assert shown.timed("a decision, until 2026-11-20T09:03:25.120Z: b") == [("a decision, until ", at_ms), (": b", 0)]
    assert shown.timed("nothing") == [("nothing", 0)]


TRACE = """Traceback (most recent call last):
  File "/srv/app/my_company/agents.py", line 12, in pay
  File "/srv/app/.venv/lib/python3.12/site-packages/httpx/_client.py", line 88, in send
httpx.ConnectError"""


def test_failed_jobs_are_grouped_by_what_has_failed() -> None:
    """Numbers, ids and addresses make no difference; agents and kinds do. In a function only kinds do."""

    def failed(number: int, message: str, *, agent: str = "a", kind: str = "boom", trace: str = "") -> Job:
        error = Failure(kind, message, traceback=trace)
        return Job(f"job_{number}", "s", "t", agent, 0, status=JobStatus.FAILED, error=error, finished_at_ms=number)

    jobs = [failed(9 - n, f"could not connect to 10.0.0.{n}:6379 within 5 s") for n in range(5)]
    jobs += [failed(3, "could not read"), failed(2, "could not read", agent="b"), failed(1, "could not read", kind="c")]
    first, *others = shown.grouped(map(shown.Failing.of_job, jobs))
    assert (first.members[-1].at_ms, [one.id for one in first.members][:2]) == (5, ["job_9", "job_8"])
    assert (first.place, first.function) == ("", "")
    assert [(one.newest.of, one.newest.type) for one in others] == [("a", "boom"), ("b", "boom"), ("a", "c")]
    assert [len(one.members) for one in (first, *others)] == [5, 1, 1, 1]
    traces = {"chair": TRACE.replace("12", "9"), "desk": TRACE}
    keys = [failed(at, f"'{item}'", agent=item, kind="KeyError", trace=traces[item]) for at, item in enumerate(traces)]
    [one] = shown.grouped(map(shown.Failing.of_job, keys))
    assert (one.newest.message, one.place, one.function) == ("'desk'", "my_company/agents.py, line 12", "pay")
    assert shown.place_in(f'File "{shown.__file__}", line 9, in grouped') == ("", "")


def test_durations_have_two_counters_and_money_keeps_what_is_small() -> None:
    durations = [shown.lasted(ms) for ms in (7, 3_249, 312_000, 7_500_000, None)]
    assert durations == ["7 ms", "3.2 s", "5 min 12 s", "2 h 5 min", "\N{EN DASH}"]
    assert [*map(shown.usd, (0, 0.00012, 1.256, 1e-8))] == ["$0", "$0.00012", "$1.26", "<$0.000001"]
