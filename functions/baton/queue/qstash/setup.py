"""`QueueSetup` through the official SDK, so it sets up the hosted queue and the local one alike."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from qstash.url_group import RemoveEndpointRequest, UpsertEndpointRequest

from baton.queue.account import SigningKeys, Topic, TopicEndpoint
from baton.queue.qstash.client import QStashClient
from baton.settings.settings import Settings


class QStashSetup:
    """An account of the queue over one SDK client."""

    def __init__(self, settings: Settings) -> None:
        self._client = QStashClient(settings)

    async def topics(self) -> tuple[Topic, ...]:
        """Return all topics. The SDK's client sends the request, since its own method drops the defaults."""
        found = await self._client.request(self._topics())
        return tuple(sorted(found, key=lambda topic: topic.name))

    async def _topics(self) -> list[Topic]:
        return [_topic(each) for each in await self._client.sdk.http.request(path="/v2/topics", method="GET")]

    async def put_endpoint(self, topic: str, endpoint: TopicEndpoint) -> None:
        request: UpsertEndpointRequest = {"url": endpoint.url}
        if endpoint.name:
            request["name"] = endpoint.name
        await self._client.request(self._client.sdk.url_group.upsert_endpoints(topic, [request]), topic)

    async def remove_endpoints(self, topic: str, endpoints: Sequence[TopicEndpoint]) -> None:
        requests = [
            RemoveEndpointRequest(name=each.name) if each.name else RemoveEndpointRequest(url=each.url)
            for each in endpoints
        ]
        await self._client.request(self._client.sdk.url_group.remove_endpoints(topic, requests), topic)

    async def put_defaults(self, topic: str, defaults: Mapping[str, str]) -> None:
        """Set default options. The SDK has no method for it, so its client sends the request (qstash.md 16)."""
        request = self._client.sdk.http.request(
            path=f"/v2/topics/{topic}",
            method="PATCH",
            headers={"Content-Type": "application/json"},
            body=json.dumps({"headers": {name: [value] for name, value in defaults.items()}}),
            parse_response=False,
        )
        await self._client.request(request, topic)

    async def delete_topic(self, topic: str) -> None:
        await self._client.request(self._client.sdk.url_group.delete(topic))

    async def signing_keys(self) -> SigningKeys:
        found = await self._client.request(self._client.sdk.signing_key.get())
        return SigningKeys(found.current, found.next)

    async def roll_signing_keys(self) -> SigningKeys:
        found = await self._client.request(self._client.sdk.signing_key.rotate())
        return SigningKeys(found.current, found.next)

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        await self._client.close()


def _topic(found: Mapping[str, Any]) -> Topic:
    endpoints = (TopicEndpoint(each["url"], each.get("name") or "") for each in found["endpoints"])
    return Topic(found["name"], tuple(endpoints), _defaults(found.get("headers") or {}))


def _defaults(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the first value of each header: the queue returns a list, or the original text."""
    return {name: str(value[0] if isinstance(value, list) and value else value) for name, value in found.items()}
