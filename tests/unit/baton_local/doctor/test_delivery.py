"""What each outcome of a probe says: a message of its own, and a way out (seed 000's "Webhook failures")."""

import json

import pytest

from baton.queue.ports import LogEntry, QueuedMessage
from baton.worker.runtime.webhook import probe_answer
from baton_events.sealing import Sealing
from baton_local.doctor.delivery import judge_clock, verdict
from baton_local.doctor.finding import Level

MESSAGE = QueuedMessage("msg_1", "https://fn.example.com/workers/sweep", "{}")
REFUSED = json.dumps({"title": "webhook refused", "detail": "the request's signature is not valid"})


def outcome(status: int, answer: str = "", error: str = "", state: str = "FAILED") -> LogEntry:
    return LogEntry(MESSAGE, state, 0, status=status, answer=answer, error=error)


def test_a_probe_that_was_understood_is_well() -> None:
    answer = probe_answer(Sealing({}))
    assert verdict(outcome(200, json.dumps(answer)), str(answer["version"])).level is Level.OK
    assert verdict(outcome(200, json.dumps(answer)), "").level is Level.OK
    assert verdict(outcome(200), "1").level is Level.OK


def test_another_version_is_reported() -> None:
    found = verdict(outcome(200, '{"outcome": "probe", "version": "1.0"}'), "2.0")
    assert (found.level, found.way_out) == (Level.WARNING, "deploy")
    assert "it runs version 1.0, this is 2.0" in found.text


@pytest.mark.parametrize(
    ("entry", "text", "way_out"),
    [
        (outcome(0, error="connection refused"), "cannot reach it: connection refused", "open to the internet"),
        (outcome(0, error="x509: certificate expired"), "certificate expired", "a valid certificate"),
        (outcome(0, state="CANCELED"), "it is CANCELED", "open to the internet"),
        (
            outcome(401, REFUSED),
            "the signature is refused (401): the request's",
            "the same WORKER_BASE_URL and signing",
        ),
        (outcome(401, "<html>Log in</html>"), "asks for a login (401)", "auth type NONE"),
        (outcome(403, '{"Message":"Forbidden"}'), "refuses the queue (403)", "auth type NONE"),
        (outcome(404, "Not Found"), "nothing is served there (404)", "the path in WORKER_BASE_URL"),
        (outcome(404, "Tunnel not found ERR_NGROK_3200"), "ngrok answers itself (404)", "run `baton tunnel`"),
        (outcome(502, "ERR_NGROK_8012"), "ngrok answers itself (502)", "start the app"),
        (outcome(405), "does not take POST (405)", "the path in WORKER_BASE_URL"),
        (outcome(301), "a redirect (301), which the queue does not follow", "https, the right host, no slash"),
        (outcome(308), "a redirect (308)", "the address that it leads to"),
        (outcome(429), "limits the queue (429)", "raise that limit"),
        (outcome(489, REFUSED), "older than this command (489)", "deploy this version"),
        (outcome(500, '{"detail": "internal error"}'), "the function fails (500): internal error", "functions' log"),
        (outcome(502, "<html>"), "does not answer (502)", "see that the server runs"),
        (outcome(503), "not able to answer (503)", "functions' log"),
        (outcome(504), "too slow (504)", "see that the server runs"),
        (outcome(418), "it answers 418", "functions' log"),
        (outcome(200, "<html>Welcome</html>"), "another program answers there: '<html>Wel", "the path in WORKER_BASE"),
        (outcome(200, '{"outcome": "swept"}'), "another program answers there", "the path in WORKER_BASE_URL"),
    ],
)
def test_each_way_to_fail_has_its_message(entry: LogEntry, text: str, way_out: str) -> None:
    found = verdict(entry, "1.0")
    assert (found.level, text in found.text, way_out in found.way_out) == (Level.FAILED, True, True), found


NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("queue_ms", "level", "text"),
    [
        (NOW_MS + 10, Level.OK, "agrees"),
        (NOW_MS - 5_000, Level.OK, "agrees"),
        (NOW_MS + 1_000, Level.OK, "agrees"),
        (NOW_MS + 12_020, Level.FAILED, "12.0 s behind the queue's"),
        (NOW_MS - 90_000, Level.WARNING, "90 s ahead"),
        (NOW_MS - 300_000, Level.FAILED, "300 s ahead of the queue's: signatures seem too old"),
    ],
)
def test_a_clock_may_be_a_little_ahead_and_never_behind(queue_ms: int, level: Level, text: str) -> None:
    """A signature is good for five minutes, and not a second before it was made."""
    found = judge_clock(queue_ms, NOW_MS, NOW_MS + 20)
    assert (found.level, text in found.text) == (level, True), found
    assert ("NTP" in found.way_out) is (level is not Level.OK)
