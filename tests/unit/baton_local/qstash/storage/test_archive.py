import asyncio

import pytest

from tests.unit.baton_local.qstash.served import Served

URL = "https://Example.com/hook?a=1"
DOUBLINGS = 15
PIECES_AT_LEAST = 4
DOUBLE = (
    "INSERT INTO events SELECT NULL, seq, time_ms, state, next_delivery_ms, status, headers, body, error FROM events"
)


@pytest.mark.parametrize("search", ["host=nowhere", "path=/nowhere"])
async def test_a_search_of_a_long_log_lets_others_go_on(server: Served, search: str) -> None:
    """A search goes piece by piece: a reader of a message is answered between any two."""
    message_id = (await server.call("POST", f"/v2/publish/{URL}"))["messageId"]
    await server.settle()
    for _ in range(DOUBLINGS):
        server.engine.database._connection.execute(DOUBLE)
    searching = asyncio.create_task(server.call("GET", f"/v2/events?{search}"))
    answers = 0
    while not searching.done():
        await server.call("GET", f"/v2/messages/{message_id}")
        await asyncio.sleep(0)
        answers += 1
    assert (await searching)["events"] == []
    assert answers > PIECES_AT_LEAST


@pytest.mark.parametrize(
    "search", ["host=example.com", "host=Example.com", "path=/hook", "label=x%22y", "responseStatus=200", "url=" + URL]
)
async def test_what_the_database_leaves_out_is_nothing_that_was_requested(server: Served, search: str) -> None:
    """Each filter finds the message that it is about, whatever stands in it."""
    await server.call("POST", f"/v2/publish/{URL}", headers={"Upstash-Label": 'x"y'})
    await server.settle()
    found = (await server.call("GET", f"/v2/events?state=DELIVERED&{search.replace('?', '%3F')}"))["events"]
    assert len(found) == 1


async def test_pages_follow_each_other_through_all_pieces(server: Served) -> None:
    """No event is shown twice, and none is left out, where a page ends inside a piece or a piece inside a page."""
    await server.call("POST", f"/v2/publish/{URL}")
    await server.settle()
    for _ in range(DOUBLINGS - 2):
        server.engine.database._connection.execute(DOUBLE)
    shown, query = 0, "state=CREATED&count=900"
    while query:
        page = await server.call("GET", f"/v2/events?{query}")
        shown += len(page["events"])
        query = f"state=CREATED&count=900&cursor={page['cursor']}" if "cursor" in page else ""
    assert shown == 2 ** (DOUBLINGS - 2)
