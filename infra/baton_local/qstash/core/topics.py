"""URL groups: named lists of endpoints that a publish fans out to (qstash.md 16).

Invariant: a group that exists has at least one endpoint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from baton_local.qstash.core.destination import check_name, check_url
from baton_local.qstash.core.errors import bad_request
from baton_local.qstash.core.headers import HeaderMap


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One receiver of a group; `name` is None when unset."""

    url: str
    name: str | None = None

    @property
    def key(self) -> str:
        """What an update is matched by: the name if given, else the URL."""
        return self.name if self.name is not None else self.url


@dataclass(frozen=True, slots=True)
class Topic:
    """A group with its endpoints in order, and the default headers of publishes to it (lower-case names)."""

    name: str
    created_at_ms: int
    updated_at_ms: int
    endpoints: tuple[Endpoint, ...]
    headers: HeaderMap = field(default_factory=dict)


def parse_endpoints(body: Any, *, need_url: bool) -> list[Endpoint]:
    """The `endpoints` of a request body; 400 naming what is wrong."""
    items = body.get("endpoints") if isinstance(body, dict) else None
    if not isinstance(items, list) or not items:
        raise bad_request('endpoints: must be a list with at least one endpoint, like [{"url": "https://..."}]')
    return [_endpoint(item, need_url=need_url) for item in items]


def _endpoint(item: Any, *, need_url: bool) -> Endpoint:
    if not isinstance(item, dict):
        raise bad_request(f"endpoints: {str(item)[:80]!r} is not an object with a url")
    url, name = item.get("url") or "", item.get("name") or None
    if not isinstance(url, str) or not (name is None or isinstance(name, str)):
        raise bad_request("endpoints: url and name must be text")
    if url or need_url:
        check_url(url, "endpoints.url")
    if name is not None:
        check_name(name, "endpoints.name")
    elif not url:
        raise bad_request("endpoints: each one needs a url or a name")
    return Endpoint(url, name)


def with_endpoints(topic: Topic | None, name: str, endpoints: Sequence[Endpoint], now_ms: int) -> Topic:
    """The group after an upsert; an endpoint of the same key keeps its place."""
    merged = {endpoint.key: endpoint for endpoint in (topic.endpoints if topic else ())}
    merged.update((endpoint.key, endpoint) for endpoint in endpoints)
    if topic is None:
        return Topic(name, now_ms, now_ms, tuple(merged.values()))
    return replace(topic, endpoints=tuple(merged.values()), updated_at_ms=now_ms)


def without_endpoints(topic: Topic, endpoints: Sequence[Endpoint], now_ms: int) -> Topic | None:
    """The group after a removal by URL or name; None when no endpoint is left."""
    urls = {endpoint.url for endpoint in endpoints if endpoint.name is None}
    names = {endpoint.name for endpoint in endpoints if endpoint.name is not None}
    left = tuple(each for each in topic.endpoints if each.url not in urls and (not each.name or each.name not in names))
    return replace(topic, endpoints=left, updated_at_ms=now_ms) if left else None


def parse_default_headers(body: Any) -> HeaderMap:
    """`{"headers": {"Upstash-Retries": "3", "X": ["a"]}}` as a lower-case map."""
    headers = body.get("headers") if isinstance(body, dict) else None
    if not isinstance(headers, dict):
        raise bad_request('headers: must be an object like {"Upstash-Retries": "3"}')
    result: HeaderMap = {}
    for name, value in headers.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) for each in values):
            raise bad_request(f"headers.{str(name)[:80]}: must be text or a list of texts")
        result[str(name).lower()] = values
    return result


def merged_headers(defaults: Mapping[str, list[str]], own: HeaderMap) -> HeaderMap:
    """The publish's own headers over the group's defaults."""
    return {**defaults, **own} if defaults else own
