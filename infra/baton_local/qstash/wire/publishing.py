"""`/v2/publish`, `/v2/enqueue`, `/v2/batch`, `/v2/schedules` (qstash.md 3, 5, 17)."""

from typing import Any
from urllib.parse import parse_qsl, unquote

from baton_local.qstash.core.answer import Answer, bad_request
from baton_local.qstash.core.commands import publishing
from baton_local.qstash.core.commands.publishing import Publish
from baton_local.qstash.core.destinations import check_name, parse_destination
from baton_local.qstash.core.headers import HeaderMap, lower_map
from baton_local.qstash.wire.call import Call, is_control_key
from baton_local.stand_in.api_error import ApiError


async def publish(call: Call) -> Answer:
    return await call.execute(publishing.publish, read_publish(call, None))


async def enqueue(call: Call) -> Answer:
    """Publish through a queue."""
    queue = check_name(unquote(call.params["queue"]), "queue")
    return await call.execute(publishing.publish, read_publish(call, queue))


async def batch(call: Call) -> Answer:
    """Publish many at once."""
    items = call.json()
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise bad_request('body: must be a JSON array of objects like {"destination": "https://...", "body": "..."}')
    limit = call.engine.state.limits.max_batch_items
    if len(items) > limit:
        raise bad_request(f"body: {len(items)} items are over the limit of {limit}; send several batches")
    return await call.execute(publishing.publish_batch, [_batch_item(call, item) for item in items])


def read_publish(call: Call, queue: str | None) -> Publish:
    """Return what a request publishes: destination, options, body."""
    destination_query, options = split_query(call.query)
    destination = parse_destination(call.params["destination"], destination_query)
    return Publish(destination, {**options, **call.headers}, call.body or None, call.client_ip, queue)


def split_query(query: str) -> tuple[str, HeaderMap]:
    """Return what belongs to the destination, untouched, and the options given by query (a real header wins)."""
    if not query:
        return "", {}
    kept, options = [], []
    for part in query.split("&"):
        pairs = parse_qsl(part, keep_blank_values=True)
        if pairs and is_control_key(pairs[0][0]):
            options += pairs
        else:
            kept.append(part)
    return "&".join(kept), {name: values for name, values in lower_map(options).items() if name.startswith("upstash-")}


def _batch_item(call: Call, item: dict[str, Any]) -> Publish | ApiError:
    try:
        destination, body, queue = item.get("destination"), item.get("body"), item.get("queue")
        if not isinstance(destination, str):
            raise bad_request("destination: is missing; each item needs a URL or a group's name")
        if not (body is None or isinstance(body, str)):
            raise bad_request("body: must be text; serialise it before")
        if not (queue is None or isinstance(queue, str)):
            raise bad_request("queue: must be the name of a queue")
        return Publish(
            parse_destination(destination),
            _batch_headers(item.get("headers")),
            _encoded(body) if body else None,
            call.client_ip,
            check_name(queue, "queue") if queue else None,
        )
    except ApiError as error:
        return error


def _batch_headers(headers: Any) -> HeaderMap:
    if headers is None:
        return {}
    if not isinstance(headers, dict):
        raise bad_request("headers: must be an object of names and texts")
    pairs: list[tuple[str, str]] = []
    for name, value in headers.items():
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, str):
                raise bad_request(f"headers.{name[:80]}: must be text")
            _encoded(name + each)
            pairs.append((name, each))
    return lower_map(pairs)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise bad_request(f"batch item: holds text that is not Unicode ({error.reason})") from error


async def create_schedule(call: Call) -> Answer:
    return await call.execute(publishing.create_schedule, read_publish(call, None))


async def list_schedules(call: Call) -> Answer:
    return publishing.list_schedules(call.tenant)


async def get_schedule(call: Call) -> Answer:
    return publishing.get_schedule(call.tenant, unquote(call.params["id"]))


async def delete_schedule(call: Call) -> Answer:
    return await call.execute(publishing.delete_schedule, unquote(call.params["id"]))


async def set_schedule_paused(call: Call, *, paused: bool) -> Answer:
    return await call.execute(publishing.set_schedule_paused, unquote(call.params["id"]), paused=paused)
