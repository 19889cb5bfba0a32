import asyncio
import contextlib
import sqlite3
from pathlib import Path

from baton_local.qstash.core.commands.publishing import Publish, publish
from baton_local.qstash.core.message import AttemptResult
from tests.unit.baton_local.qstash.served import Served

PUBLISHED = Publish("https://example.com/", {})


async def test_publishes_at_the_same_time_share_a_commit(server: Served) -> None:
    database = server.engine.storage
    commits = 0
    commit = database.commit

    def counting() -> None:
        nonlocal commits
        commits += 1
        commit()

    database.commit = counting  # type: ignore[method-assign]  # counts and passes on
    await asyncio.gather(*(server.engine.execute("defaultUser", publish, PUBLISHED) for _ in range(100)))
    assert commits <= 3
    await server.settle()
    assert len(server.sent) == 100


async def test_nothing_is_sent_before_it_is_on_disk(server: Served) -> None:
    """The destination never hears of a message that a crash could undo."""
    stored_when_sent: list[bool] = []
    send = server.send

    async def checking(request: object) -> object:
        headers = dict(request.headers)  # type: ignore[attr-defined]
        message = server.engine.storage.message("defaultUser", headers["Upstash-Message-Id"])
        stored_when_sent.append(message is not None)
        return await send(request)  # type: ignore[arg-type]

    server.engine._send = checking  # type: ignore[assignment]
    await asyncio.gather(*(server.engine.execute("defaultUser", publish, PUBLISHED) for _ in range(20)))
    await server.settle()
    assert stored_when_sent == [True] * 20


async def test_a_dead_letter_is_shown_only_when_it_is_on_disk(server: Served, tmp_path: Path) -> None:
    """What a reader saw is not undone by a crash, so the answer waits for the disk."""
    server.answer = lambda _request: AttemptResult(500)
    await server.call("POST", "/v2/publish/https://h/", headers={"Upstash-Retries": "0"})
    for _ in range(100):  # rounds of the loop, in which no commit comes about by itself
        await asyncio.sleep(0)
        if server.engine.state.tenant("defaultUser").dlq:
            break
    with contextlib.closing(sqlite3.connect(tmp_path / "qstash.db")) as disk:
        shown = len((await server.call("GET", "/v2/dlq"))["messages"])
        assert (shown, disk.execute("SELECT count(*) FROM stored WHERE kind='dlq'").fetchone()) == (1, (1,))


async def test_failing_delivery_function_is_a_failed_attempt(server: Served) -> None:
    def explode(_request: object) -> object:
        raise KeyError("unforeseen")

    server.answer = explode  # type: ignore[assignment]
    message_id = (await server.call("POST", "/v2/publish/https://h/"))["messageId"]
    await server.settle()
    events = (await server.call("GET", f"/v2/events?messageId={message_id}&state=ERROR"))["events"]
    assert "unforeseen" in events[0]["error"]
