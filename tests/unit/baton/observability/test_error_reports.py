"""Errors that are reported to Sentry: ours, with what they are about, and without secrets."""

import json
import logging
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.commit.answers import Claim, ClaimResult
from baton.observability.error_reports import report_errors
from baton.sdk.models.model import ModelError
from baton.sdk.records.redaction import KnownSecrets
from baton.server.site import build_site
from baton.settings.settings import Settings
from baton_events.schema import encode_event
from tests.deploy.runtime_api import Invocation, RuntimeApi
from tests.fakes.stored import FakeStore
from tests.unit.baton.kit.stage import SETTINGS, Stage
from tests.unit.baton.server.api.client import api_of

SECRET, DSN = "a-key-of-somebody", "https://key@sentry.example.com/1"
SENT: list[dict[str, Any]] = []
FLUSHED: list[float] = []


class Kept(Transport):
    """Keeps what would be sent, and the limits of time within which all of it was to leave."""

    def capture_envelope(self, envelope: Envelope) -> None:
        event = envelope.get_event() or envelope.get_transaction_event()
        if event is not None:
            SENT.append(json.loads(json.dumps(event, default=str)))

    def flush(self, timeout: float, callback: Any = None) -> None:
        FLUSHED.append(timeout)


@pytest.fixture
def sent() -> Iterator[list[dict[str, Any]]]:
    SENT.clear()
    report_errors(Settings(sentry_dsn=DSN), KnownSecrets((SECRET,)), Kept)
    yield SENT
    sentry_sdk.get_client().close()
    sentry_sdk.init(dsn=None, default_integrations=False)


@tool
async def look_up(password: str) -> str:
    return f"opened with {password}"


class BrokenStore(FakeStore):
    async def claim(self, claim: Claim) -> ClaimResult:
        """Fail as no adapter should, with a secret in hand."""
        local = f"{SECRET} of {claim.job_id}"
        raise RuntimeError(local)


async def test_an_error_of_a_delivery_is_reported_with_its_job_and_without_secrets(sent: list[dict[str, Any]]) -> None:
    stage = Stage(store=BrokenStore())
    event = await stage.submit("answers")
    headers = {"upstash-signature": "x", "upstash-message-id": "msg_1", "upstash-retried": "0"}
    async with api_of(stage) as api:
        answer = await api.http.post("/workers/agent-loop", content=encode_event(event), headers=headers)
    assert answer.status_code == 500
    (report,) = [report for report in sent if "exception" in report]
    assert report["tags"] == {
        "messageId": "msg_1",
        "eventId": event.id,
        "eventType": "agent.loop.init",
        "jobId": "job_1",
        "sessionId": "session-job_1",
    }
    (raised,) = report["exception"]["values"]
    assert (raised["type"], raised["value"]) == ("RuntimeError", "[redacted] of job_1")
    assert not any("vars" in frame for frame in raised["stacktrace"]["frames"])
    assert {"request", "user", "server_name"}.isdisjoint(report)
    assert SECRET not in json.dumps(report)


async def test_a_job_that_fails_is_one_report_with_its_last_parts(sent: list[dict[str, Any]]) -> None:
    """Whatever its message is about; what models and tools were told in secret is in none of them."""
    script: list[list[Call] | ModelError] = [[Call("look_up", {"password": SECRET})], ModelError("no", retryable=False)]
    stage = Stage(
        registry=Registry([Agent("breaks", ScriptedModel(script), tools=[look_up])]),
        settings=replace(SETTINGS, sentry_dsn=DSN),
    )
    await stage.submit("breaks")
    await stage.run()
    (report,) = sent
    assert report["tags"] == {"jobId": "job_1"}
    assert report["logentry"]["formatted"] == "ALERT job job_1 failed: model_error: no (agent 'breaks')"
    crumbs = [crumb["category"] for crumb in report["breadcrumbs"]["values"]]
    assert crumbs[-1] == "finish"
    assert {"tool-input-available", "tool-output-available", "error"} <= set(crumbs)
    assert SECRET not in json.dumps(sent)


async def test_a_delivery_is_a_transaction_unless_nobody_wants_them(sent: list[dict[str, Any]]) -> None:
    headers = {"upstash-signature": "x", "upstash-message-id": "msg_1", "upstash-retried": "0"}
    for share in (1.0, 0.0):
        stage = Stage(settings=replace(SETTINGS, sentry_dsn=DSN, sentry_traces_sample_rate=share))
        body = encode_event(await stage.submit("answers"))
        async with api_of(stage) as api:
            await api.http.post("/workers/agent-loop", content=body, headers=headers)
    (report,) = sent
    assert (report["type"], report["transaction"]) == ("transaction", "agent.loop.init")
    assert report["tags"]["jobId"] == "job_1"


def test_an_alert_is_reported_and_a_warning_is_not(sent: list[dict[str, Any]]) -> None:
    """Without SENTRY_DSN nothing is set up, and nothing reported."""
    logging.getLogger("baton.alerts").error("ALERT %s", "job job_1 failed")
    logging.getLogger("baton.alerts").warning("not so bad")
    logging.getLogger("somebody.else").error("with %s", "anything in it")
    sentry_sdk.init(dsn=None, default_integrations=False)
    report_errors(Settings(), KnownSecrets(()), Kept)
    logging.getLogger("baton.alerts").error("nobody hears")
    assert [report["logentry"]["formatted"] for report in sent] == ["ALERT job job_1 failed"]


async def test_a_server_that_stops_sends_its_reports_first(sent: list[dict[str, Any]]) -> None:
    FLUSHED.clear()
    site = build_site(Stage().container)
    async with site.router.lifespan_context(site):
        assert FLUSHED == []
    assert FLUSHED == [2.0]


_ENDS = """
import sys
from baton.worker.entry import answer_and_end
from baton.observability.error_reports import report_errors
from baton.sdk.records.redaction import KnownSecrets
from baton.settings.settings import Settings
api, port = sys.argv[1:]
report_errors(Settings(sentry_dsn=f"http://key@127.0.0.1:{port}/1"), KnownSecrets(()))
answer_and_end(api, "request-1", {"statusCode": 200}, "a tool call hangs")
"""
_ROOT = Path(__file__).resolve().parents[4]


@contextmanager
def sentry(answers: threading.Event) -> Iterator[tuple[int, list[bytes]]]:
    """A server that takes reports, and answers once it may."""
    taken = list[bytes]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answers.wait(30)
            taken.append(zlib.decompress(body, 31) if self.headers["content-encoding"] == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Quietly."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1], taken
        answers.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("is_there", [True, False])
def test_a_process_that_ends_itself_answers_and_sends_its_report_first(is_there: bool) -> None:
    """The answer does not wait for it, and the end waits for two seconds at most."""
    api, invocation, answers = RuntimeApi(), Invocation("request-1", {}, 60.0), threading.Event()
    api.given["request-1"] = invocation
    if is_there:
        threading.Timer(0.3, answers.set).start()
    try:
        with sentry(answers) as (port, taken):
            path = os.pathsep.join(str(_ROOT / folder) for folder in ("functions", "events"))
            process = subprocess.run(
                [sys.executable, "-c", _ENDS, api.address, str(port)], env={"PYTHONPATH": path}, timeout=20, check=False
            )
            found = b"".join(taken)
    finally:
        api.close()
    assert (process.returncode, invocation.answer.get(timeout=1)) == (1, ("response", {"statusCode": 200}))
    assert (b"this process ends after its answer: a tool call hangs" in found) == is_there
