"""Errors that are reported to Sentry: ours, with what they are about, and without secrets."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from baton.engine.commit.answers import Claim, ClaimResult
from baton.observability.error_reports import report_errors
from baton.sdk.redaction import KnownSecrets
from baton.settings.settings import Settings
from baton_events.schema import encode_event
from tests.fakes import FakeStore
from tests.unit.baton.api.client import api_of
from tests.unit.baton.kit.stage import Stage

SECRET = "a-key-of-somebody"
SENT: list[dict[str, Any]] = []


class Kept(Transport):
    """Keeps what would be sent."""

    def capture_envelope(self, envelope: Envelope) -> None:
        """Keep it."""
        event = envelope.get_event()
        if event is not None:
            SENT.append(json.loads(json.dumps(event, default=str)))


@pytest.fixture
def sent() -> Iterator[list[dict[str, Any]]]:
    """What is reported; afterwards nothing is."""
    SENT.clear()
    report_errors(Settings(sentry_dsn="https://key@sentry.example.com/1"), KnownSecrets((SECRET,)), Kept)
    yield SENT
    sentry_sdk.get_client().close()
    sentry_sdk.init(dsn=None, default_integrations=False)


class BrokenStore(FakeStore):
    """A store with a mistake in it."""

    async def claim(self, claim: Claim) -> ClaimResult:
        """Fail as no adapter should, with a secret in hand."""
        local = f"{SECRET} of {claim.job_id}"
        raise RuntimeError(local)


async def test_an_error_of_a_delivery_is_reported_with_its_job_and_without_secrets(sent: list[dict[str, Any]]) -> None:
    """No local variables, no request, no machine's name."""
    stage = Stage(store=BrokenStore())
    event = await stage.submit("answers")
    headers = {"upstash-signature": "x", "upstash-message-id": "msg_1", "upstash-retried": "0"}
    async with api_of(stage) as api:
        answer = await api.http.post("/workers/agent-loop", content=encode_event(event), headers=headers)
    assert answer.status_code == 500
    (report,) = sent
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


def test_an_alert_is_reported_and_a_warning_is_not(sent: list[dict[str, Any]]) -> None:
    """What our loggers call an error; what others do is theirs to report."""
    logging.getLogger("baton.alerts").error("ALERT %s", "job job_1 failed")
    logging.getLogger("baton.alerts").warning("not so bad")
    logging.getLogger("somebody.else").error("with %s", "anything in it")
    assert [report["logentry"]["formatted"] for report in sent] == ["ALERT job job_1 failed"]


def test_nothing_is_reported_where_nobody_requests_it(sent: list[dict[str, Any]]) -> None:
    """Without SENTRY_DSN nothing is set up."""
    sentry_sdk.init(dsn=None, default_integrations=False)
    report_errors(Settings(), KnownSecrets(()), Kept)
    logging.getLogger("baton.alerts").error("nobody hears")
    assert sent == []
