"""A provider that is asked over HTTP, which respx answers."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import respx

from baton.sdk.models.catalog import ProviderModel
from baton.sdk.models.model import Message, ModelAnswer, ModelError, ModelRequest, ToolSpec, UserMessage
from tests.unit.baton.sdk.models.through_pydantic_ai import httpx2_mocker
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import ProviderCase

ADD = ToolSpec(
    "add",
    "Add two numbers.",
    {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]},
)
QUESTION = UserMessage("What is 1 + 2?")


@dataclass(frozen=True)
class Requested:
    case: ProviderCase
    model: ProviderModel
    route: respx.Route
    route_of_streams: respx.Route

    async def answer(self, *messages: Message, **more: Any) -> ModelAnswer:
        settings = {**self.case.settings, **more.pop("settings", {})}
        instructions = more.pop("instructions", "Be exact.")
        tools = more.pop("tools", (ADD,))
        request = ModelRequest(instructions, messages or (QUESTION,), tools, 1, settings=settings, **more)
        return await self.model.answer(request)

    async def failure(self, match: str | None = None, **more: Any) -> ModelError:
        """Return what a request fails with."""
        with pytest.raises(ModelError, match=match) as caught:
            await self.answer(**more)
        return caught.value

    def sent(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.route.calls.last.request.content)
        return body

    def answers(self, *bodies: dict[str, Any]) -> None:
        self.route.mock(side_effect=[httpx.Response(200, json=body) for body in bodies])

    def streams(self, *answers: Iterable[bytes]) -> None:
        """Answer with these events, one request after the other."""
        self.gives(*map(event_stream, answers))

    def gives(self, *responses: httpx.Response) -> None:
        """Answer so, whether the request is for a stream or not."""
        for route in (self.route, self.route_of_streams):
            route.mock(side_effect=responses)

    def fails(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self.route.mock(return_value=httpx.Response(status, json=self.case.refusal(status, message), headers=headers))


def event_stream(events: Iterable[bytes]) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=b"".join(events))


@contextmanager
def requesting(case: ProviderCase) -> Iterator[Requested]:
    assert httpx2_mocker.HTTPCore2Mocker.name == "httpcore2"
    with respx.mock(using=case.using, assert_all_called=False) as router:
        route = router.post(case.url)
        streams = router.post(url__startswith=case.url.replace(":generateContent", ":streamGenerateContent"))
        yield Requested(case, ProviderModel(case.model), route, streams)
