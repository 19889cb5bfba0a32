"""Commands on URL groups (qstash.md 16)."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from baton_local.qstash.core.answer import Answer, bad_request, not_found, over_quota
from baton_local.qstash.core.destinations import Endpoint, Topic, check_name, with_endpoints, without_endpoints
from baton_local.qstash.core.headers import HeaderMap
from baton_local.qstash.core.options import parse_options
from baton_local.qstash.core.state import Transition
from baton_local.qstash.core.tenant import Tenant


def topic_view(topic: Topic) -> dict[str, Any]:
    """Return a group in JSON; `name` of an endpoint is left out when unset."""
    endpoints = [{"url": each.url} | ({"name": each.name} if each.name else {}) for each in topic.endpoints]
    return {
        "name": topic.name,
        "createdAt": topic.created_at_ms,
        "updatedAt": topic.updated_at_ms,
        "endpoints": endpoints,
    } | ({"headers": topic.headers} if topic.headers else {})


def list_topics(tenant: Tenant) -> Answer:
    return Answer(HTTPStatus.OK, [topic_view(topic) for topic in tenant.topics.values()])


def get_topic(tenant: Tenant, name: str) -> Answer:
    return Answer(HTTPStatus.OK, topic_view(_topic(tenant, name)))


def upsert_endpoints(step: Transition, tenant: Tenant, name: str, endpoints: list[Endpoint]) -> Answer:
    """Add or update endpoints; the group is created if needed."""
    limits = step.state.limits
    name = check_name(name, "URL group")
    if name.lower().startswith("http") or name == "api":
        raise bad_request(f"URL group: {name!r} could be taken for a destination; choose another name")
    known = tenant.topics.get(name)
    if known is None and len(tenant.topics) >= limits.max_topics:
        raise over_quota(f"URL group {name!r}: there are {limits.max_topics} groups already, the limit")
    topic = with_endpoints(known, name, endpoints, step.now_ms)
    if len(topic.endpoints) > limits.max_endpoints:
        raise over_quota(f"URL group {name!r}: more than {limits.max_endpoints} endpoints, the limit")
    _store(step, tenant, topic)
    return Answer(HTTPStatus.OK)


def remove_endpoints(step: Transition, tenant: Tenant, name: str, endpoints: list[Endpoint]) -> Answer:
    """Remove endpoints by URL or name; the group goes with the last one."""
    left = without_endpoints(_topic(tenant, name), endpoints, step.now_ms)
    if left is None:
        _drop(step, tenant, name)
    else:
        _store(step, tenant, left)
    return Answer(HTTPStatus.OK)


def set_topic_headers(step: Transition, tenant: Tenant, name: str, headers: HeaderMap) -> Answer:
    """Set default headers; bad ones are refused now rather than at each publish."""
    topic = _topic(tenant, name)
    parse_options(headers, step.state.limits)
    _store(step, tenant, replace(topic, headers=headers, updated_at_ms=step.now_ms))
    return Answer(HTTPStatus.OK, topic_view(tenant.topics[name]))


def delete_topic(step: Transition, tenant: Tenant, name: str) -> Answer:
    """Delete a group, also when it does not exist (tests delete first, qstash.md 16)."""
    if name in tenant.topics:
        _drop(step, tenant, name)
    return Answer(HTTPStatus.OK)


def _topic(tenant: Tenant, name: str) -> Topic:
    topic = tenant.topics.get(name)
    if topic is None:
        raise not_found(f"URL group {name[:80]!r} does not exist")
    return topic


def _store(step: Transition, tenant: Tenant, topic: Topic) -> None:
    step.put(tenant, "topics", topic.name, topic)


def _drop(step: Transition, tenant: Tenant, name: str) -> None:
    step.drop(tenant, "topics", name)
