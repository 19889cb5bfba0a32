"""`/v2/topics` (qstash.md 16)."""

from dataclasses import replace
from typing import Any

from baton_local.qstash.core.answer import Answer, Request, bad_request, not_found, ok, over_quota
from baton_local.qstash.core.destinations import (
    Topic,
    check_name,
    parse_default_headers,
    parse_endpoints,
    with_endpoints,
    without_endpoints,
)
from baton_local.qstash.core.options import parse_options
from baton_local.qstash.core.state import Tenant, Transition


def _view(topic: Topic) -> dict[str, Any]:
    endpoints = [{"url": each.url} | ({"name": each.name} if each.name else {}) for each in topic.endpoints]
    return {
        "name": topic.name,
        "createdAt": topic.created_at_ms,
        "updatedAt": topic.updated_at_ms,
        "endpoints": endpoints,
    } | ({"headers": topic.headers} if topic.headers else {})


def list_topics(_step: Transition, tenant: Tenant, _request: Request) -> Answer:
    return ok([_view(topic) for topic in tenant.topics.values()])


def get_topic(_step: Transition, tenant: Tenant, request: Request) -> Answer:
    return ok(_view(_topic(tenant, request)))


def upsert_endpoints(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Add or update endpoints; the group is created if needed."""
    limits, endpoints = step.state.limits, parse_endpoints(request.json(), need_url=True)
    name = check_name(request.param("name"), "URL group")
    if name.lower().startswith("http") or name == "api":
        raise bad_request(f"URL group: {name!r} could be taken for a destination; choose another name")
    known = tenant.topics.get(name)
    if known is None and len(tenant.topics) >= limits.max_topics:
        raise over_quota(f"URL group {name!r}: there are {limits.max_topics} groups already, the limit")
    topic = with_endpoints(known, name, endpoints, step.now_ms)
    if len(topic.endpoints) > limits.max_endpoints:
        raise over_quota(f"URL group {name!r}: more than {limits.max_endpoints} endpoints, the limit")
    step.put(tenant, "topics", name, topic)
    return ok()


def remove_endpoints(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Remove endpoints by URL or name; the group goes with the last one."""
    topic = _topic(tenant, request)
    left = without_endpoints(topic, parse_endpoints(request.json(), need_url=False), step.now_ms)
    if left is None:
        step.drop(tenant, "topics", topic.name)
    else:
        step.put(tenant, "topics", topic.name, left)
    return ok()


def set_topic_headers(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Set default headers; bad ones are refused now rather than at each publish."""
    headers = parse_default_headers(request.json())
    topic = replace(_topic(tenant, request), headers=headers, updated_at_ms=step.now_ms)
    parse_options(headers, step.state.limits)
    step.put(tenant, "topics", topic.name, topic)
    return ok(_view(topic))


def delete_topic(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Delete a group, also when it does not exist (tests delete first, qstash.md 16)."""
    if (name := request.param("name")) in tenant.topics:
        step.drop(tenant, "topics", name)
    return ok()


def _topic(tenant: Tenant, request: Request) -> Topic:
    name = request.param("name")
    if name not in tenant.topics:
        raise not_found(f"URL group {name[:80]!r} does not exist")
    return tenant.topics[name]
