"""`/v2/topics` and `/v2/keys` (qstash.md 16, 19)."""

from urllib.parse import unquote

from baton_local.qstash.clock import random_text
from baton_local.qstash.core.answer import Answer
from baton_local.qstash.core.commands import tenants, topics
from baton_local.qstash.core.destinations import parse_default_headers, parse_endpoints
from baton_local.qstash.wire.call import Call

_KEY_LENGTH = 28


async def list_topics(call: Call) -> Answer:
    return topics.list_topics(call.tenant)


async def get_topic(call: Call) -> Answer:
    return topics.get_topic(call.tenant, _name(call))


async def upsert_endpoints(call: Call) -> Answer:
    endpoints = parse_endpoints(call.json(), need_url=True)
    return await call.execute(topics.upsert_endpoints, _name(call), endpoints)


async def remove_endpoints(call: Call) -> Answer:
    endpoints = parse_endpoints(call.json(), need_url=False)
    return await call.execute(topics.remove_endpoints, _name(call), endpoints)


async def set_headers(call: Call) -> Answer:
    headers = parse_default_headers(call.json())
    return await call.execute(topics.set_topic_headers, _name(call), headers)


async def delete_topic(call: Call) -> Answer:
    return await call.execute(topics.delete_topic, _name(call))


async def get_keys(call: Call) -> Answer:
    return tenants.get_keys(call.tenant)


async def rotate_keys(call: Call) -> Answer:
    return await call.execute(tenants.rotate_keys, f"sig_{random_text(_KEY_LENGTH)}")


def _name(call: Call) -> str:
    return unquote(call.params["name"])
