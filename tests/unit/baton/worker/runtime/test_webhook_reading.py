"""How the edge reads a request: its head, its body piece by piece, its own URL, and how often one source may fail."""

from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest

from baton.engine.transitions import JobStatus
from baton.worker.runtime.webhook import SourceBudget, lambda_url
from tests.fakes.clock import FakeClock
from tests.unit.baton.kit.edge import LOOP, Edge
from tests.unit.baton.kit.signing import delivery_headers


@pytest.mark.parametrize(("first", "status"), [("forged", 401), ("", 200)])
async def test_of_a_header_that_comes_twice_the_first_counts(edge: Edge, first: str, status: int) -> None:
    """As with every other reader of HTTP: what one checks is what the other acts by."""
    body = await edge.first_event()
    good = delivery_headers(LOOP, body)
    second = {**good, "upstash-signature": "forged", "upstash-message-id": "another"}
    doubled = [("upstash-signature", first)] if first else []
    response = await edge.client.post(LOOP, content=body, headers=[*doubled, *good.items(), *second.items()])
    assert response.status_code == status


async def test_a_body_in_pieces_is_one(edge: Edge) -> None:
    body = await edge.first_event()

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (body[:10], b"", body[10:]):
            yield piece

    response = await edge.client.post(LOOP, content=pieces(), headers=delivery_headers(LOOP, body))
    assert (response.status_code, response.json()["outcome"]) == (200, "done")


async def test_of_a_sender_who_hangs_up_nothing_is_handled(edge: Edge) -> None:
    """The queue sends it again; it is no error of ours, which would be logged with a traceback."""
    body = await edge.first_event()
    came: list[dict[str, Any]] = [
        {"type": "http.request", "body": body[:10], "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[int] = []

    async def receive() -> dict[str, Any]:
        return came.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.extend([message["status"]] if "status" in message else [])

    head = [(name.encode(), value.encode()) for name, value in delivery_headers(LOOP, body).items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/workers/agent-loop",
        "headers": head,
        "query_string": b"",
        "scheme": "https",
    }
    await edge.app(scope, receive, send)
    assert sent == [400]
    assert (await edge.stage.snapshot()).job.status is JobStatus.PENDING


@pytest.mark.parametrize("body", [b"\xff\xfe", b'{"type": "agent.loop.init", "id": "\xe9"}', b"\x00\x80"])
async def test_a_signed_body_that_is_no_utf8_is_malformed_and_not_forged(edge: Edge, body: bytes) -> None:
    """489: the queue keeps it for a person. 401 had it delivered again, and told of a forger who was none."""
    response = await edge.post(body)
    assert (response.status_code, response.headers["upstash-nonretryable-error"]) == (489, "true")
    swapped = await edge.client.post(LOOP, content=body + b"\xff", headers=delivery_headers(LOOP, body))
    assert swapped.status_code == 401


OWN = "abcdefghij0123456789.lambda-url.eu-central-1.on.aws"


@pytest.mark.parametrize(
    "domain", ["", "api.example.com", "id.execute-api.eu-central-1.amazonaws.com", f"{OWN}.example.com", f"x.{OWN}"]
)
def test_a_url_of_our_own_is_what_lambda_says_and_no_header(domain: str) -> None:
    """Behind anything else there is none: the settings say then which URL is ours."""
    scope: dict[str, Any] = {"headers": [[b"host", OWN.encode()]]}
    assert lambda_url(scope) == ""
    assert lambda_url(scope | {"aws.event": {"requestContext": {"domainName": domain} if domain else {}}}) == ""
    claimed = {"headers": [[b"host", b"claimed.lambda-url.eu-central-1.on.aws"]]}
    assert lambda_url(claimed | {"aws.event": {"requestContext": {"domainName": OWN}}}) == f"https://{OWN}"


def test_a_spent_budget_fills_evenly() -> None:
    """Three a minute: after the third failure, the next one may come 20 s later, whatever others do.

    Nobody is locked out for longer by what they did before.
    """
    clock = FakeClock()
    budget = SourceBudget(clock, 3)
    for _ in range(3):
        assert [budget.wait_seconds("a") for _ in range(100)] == [0] * 100
        budget.spend("a")
    assert budget.wait_seconds("a") == 20
    for _ in range(1000):
        budget.spend("a")
    assert budget.wait_seconds("a") == 20
    assert budget.wait_seconds("b") == 0
    clock.ms += 15_000
    assert budget.wait_seconds("a") == 5
    clock.ms += 5_000
    assert budget.wait_seconds("a") == 0


def test_a_clock_that_goes_back_refuses_nobody_for_longer() -> None:
    clock = FakeClock()
    budget = SourceBudget(clock, 3)
    budget.spend("a")
    clock.ms -= 3_600_000
    budget.spend("a")
    assert budget.wait_seconds("a") == 0


def test_sources_are_forgotten_the_longest_unseen_first() -> None:
    budget = SourceBudget(FakeClock(), 1)
    for number in range(10_001):
        budget.spend(str(number))
    assert budget.wait_seconds("0") == 0
    assert budget.wait_seconds("1") == 60
    assert budget.wait_seconds("10000") == 60
