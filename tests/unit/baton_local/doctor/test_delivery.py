"""Probes: one to every endpoint, waited for, and nothing left behind; what each outcome says, with a way out."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace

import pytest

from baton.queue.ports import LogEntry, LogPage, QueuedMessage
from baton.settings.settings import Settings
from baton.worker.runtime.webhook import is_probe, probe_answer
from baton_events.errors import QueueRefusedError
from baton_events.schema import WEBHOOK_ENDPOINTS
from baton_events.sealing import Sealing, sealing_of
from baton_local.doctor.delivery import Probes, judge_clock, verdict
from baton_local.doctor.finding import Finding, Level
from tests.fakes.clock import FakeClock
from tests.fakes.queue import FakeQueue
from tests.fakes.queue_records import FakeQueueRecords
from tests.unit.baton_local.setup.accounts import SETTINGS

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


UNDERSTOOD = json.dumps(probe_answer(Sealing({})))


class PassingClock(FakeClock):
    def now_ms(self) -> int:
        self.ms += 10_000
        return self.ms


async def probed(
    becomes: Callable[[FakeQueueRecords, str, str], object],
    queue: FakeQueue | None = None,
    settings: Settings = SETTINGS,
) -> tuple[list[Finding], FakeQueueRecords]:
    """Send probes over a queue, each message of which becomes so when its log is first read."""
    sent = queue or FakeQueue()

    class Records(FakeQueueRecords):
        async def log(
            self, *, message_id: str = "", label: str = "", state: str = "", cursor: str = "", limit: int = 100
        ) -> LogPage:
            if not self.happened:
                for sent_id, message in sent.published:
                    becomes(self, sent_id, message.url)
            return await super().log(message_id=message_id, label=label, state=state, cursor=cursor, limit=limit)

    records = Records(sent, FakeClock())
    return await Probes(sent, records, PassingClock(), "n1").send(settings, 30), records


def delivered(records: FakeQueueRecords, message_id: str, _url: str) -> None:
    records.happen(message_id, "DELIVERED", status=200, answer=UNDERSTOOD)


async def test_every_endpoint_gets_one_probe_that_is_tried_once() -> None:
    """By direct URL, labelled, and without a failure callback: a failed probe is nobody's business."""
    queue = FakeQueue()
    found, _ = await probed(delivered, queue)
    assert [message.url for _, message in queue.published] == [
        SETTINGS.endpoint_url(endpoint) for endpoint in WEBHOOK_ENDPOINTS
    ]
    for _, message in queue.published:
        assert is_probe(message.body.encode())
        assert (message.retries, message.failure_callback, message.label) == (0, "", "baton-doctor-n1")
    endpoints = found[-1]
    assert (endpoints.level, endpoints.text.startswith(f"all 7 at {SETTINGS.worker_base_url}: ")) == (Level.OK, True)


async def test_a_failed_probe_is_reported_and_taken_out_of_the_dead_letters() -> None:
    def one_dies(records: FakeQueueRecords, message_id: str, url: str) -> None:
        if url.endswith("/sweep"):
            records.happen(message_id, "ERROR", status=404, answer="no")
            records.die(message_id, 404, "no")
        else:
            delivered(records, message_id, url)

    found, records = await probed(one_dies)
    (wrong,) = [each for each in found if each.level is Level.FAILED and each.check == "endpoints"]
    assert wrong.text == f"/workers/sweep at {SETTINGS.worker_base_url}: nothing is served there (404)"
    assert records.dead == {}


async def test_what_is_not_delivered_in_time_is_reported() -> None:
    found, _ = await probed(lambda records, message_id, url: records.happen(message_id, "ACTIVE"))
    (wrong,) = [each for each in found if each.check == "endpoints"]
    assert wrong.level is Level.FAILED
    assert "has not delivered within 30 s: the message is ACTIVE" in wrong.text


async def test_an_address_that_the_queue_does_not_take_is_reported() -> None:
    queue = FakeQueue()
    queue.failing = [QueueRefusedError("loopback addresses are not allowed")]
    found, _ = await probed(delivered, queue)
    (wrong,) = [each for each in found if each.level is Level.FAILED and each.check == "endpoints"]
    assert "does not take a message to it: loopback addresses are not allowed" in wrong.text
    assert "not a private one" in wrong.way_out


async def test_functions_at_addresses_of_their_own_are_named_with_them() -> None:
    settings = replace(SETTINGS, worker_urls=(("/workers/sweep", "https://sweep.example.com"),))
    queue = FakeQueue()
    records = FakeQueueRecords(queue, FakeClock())
    found = await Probes(queue, records, PassingClock(), "n1").send(settings, 1)
    assert "all 7 at https://fn.example.com/api/v2, https://sweep.example.com: " in found[-1].text


NEW, OLD = (f"{name}:{b64encode(bytes([number]) * 32).decode()}" for number, name in enumerate(("new", "old")))

OTHERS = ", ".join(endpoint for endpoint in WEBHOOK_ENDPOINTS if endpoint != "/workers/sweep")


@pytest.mark.parametrize(
    ("here", "there", "text"),
    [
        ("", "", ""),
        (OLD, OLD, "encrypted by key 'old', which every process can open"),
        (f"{OLD},{NEW}", f"{NEW},{OLD}", "encrypted by key 'new', 'old', which every process can open"),
        (OLD, f"{NEW},{OLD}", f"payloads are encrypted by key 'new', which {OTHERS}, this command cannot open"),
        (f"{NEW},{OLD}", OLD, "payloads are encrypted by key 'new', which /workers/sweep cannot open"),
        ("", OLD, f"payloads are encrypted by key 'old', which {OTHERS}, this command cannot open"),
    ],
)
async def test_each_process_can_open_what_the_others_seal(here: str, there: str, text: str) -> None:
    other = json.dumps(probe_answer(sealing_of(there, "")))

    def becomes(records: FakeQueueRecords, message_id: str, url: str) -> None:
        own = json.dumps(probe_answer(sealing_of(here, "")))
        records.happen(message_id, "DELIVERED", status=200, answer=other if url.endswith("/sweep") else own)

    found, _ = await probed(becomes, settings=replace(SETTINGS, payload_keys=here))
    keys = [finding for finding in found if finding.check == "payloads"]
    assert [finding.text for finding in keys] == ([text] if text else [])
    assert [finding.level for finding in keys] == ([Level.WARNING if "cannot" in text else Level.OK] if text else [])
