"""How the edge reads a request: its head, and its body piece by piece."""

from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest

from baton.engine.transitions import JobStatus
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
