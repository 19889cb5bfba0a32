"""Connections over RESP: what is lost is unknown, nothing is sent twice, and what is dead is replaced."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection
from baton.store.transport import redis_node
from baton_events import proxies
from baton_events.errors import StoreAnswerError, StoreError
from baton_local.redis.resp import Reply, ServerError
from tests.unit.baton.store.transport.resp_server import Hangs, HangsUp, RespServer
from tests.unit.baton.store.transport.test_redis_resp import PASSWORD, REQUESTS, connected, pong, settings_of


@pytest.mark.parametrize(
    ("url", "named"),
    [
        (f"redis://:{PASSWORD}@127.0.0.1:9/0", r"redis://\*\*\*@127\.0\.0\.1:9/0 \(ConnectionRefusedError\)"),
        (f"unix:///nowhere/valkey.sock?password={PASSWORD}", r"unix:///nowhere/valkey\.sock \(FileNotFoundError\)"),
    ],
)
@pytest.mark.parametrize("name", REQUESTS)
async def test_a_server_that_cannot_be_reached_is_named(name: str, url: str, named: str) -> None:
    """With what the system said, and without the password."""
    redis = RedisConnection(Settings(resp_url=url))
    with pytest.raises(StoreError, match=named) as caught:
        await REQUESTS[name](redis)
    assert not isinstance(caught.value, StoreAnswerError)
    assert PASSWORD not in str(caught.value)
    await redis.close()


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_server_that_does_not_answer_is_given_up_after_the_time_limit(name: str) -> None:
    """And that connection is not used again: its answer may still come."""
    silent = True
    async with connected(lambda command: Hangs() if silent else pong(command), store_timeout_seconds=1) as (
        server,
        redis,
    ):
        with pytest.raises(StoreError, match="within 1 s"):
            await REQUESTS[name](redis)
        assert len(server.writes) == 1
        silent = False
        assert await redis.execute("GET", "late") == "late"
        assert server.connections == 2


@pytest.mark.parametrize("after", [b"", b"$5\r\nhal"])
async def test_an_answer_that_was_lost_is_unknown_and_nothing_is_sent_again(after: bytes) -> None:
    async with connected(lambda _: HangsUp(after)) as (server, redis):
        with pytest.raises(StoreError, match="no usable answer") as caught:
            await redis.execute("INCR", "a")
        assert not isinstance(caught.value, StoreAnswerError)
        assert server.requested == [["INCR", "a"]]


async def test_what_was_written_after_a_refusal_that_ends_the_connection_is_unknown() -> None:
    """It may have been done: only the asker who was refused is told of a refusal."""

    def say(command: list[str]) -> Reply:
        return ServerError(b"LOADING not yet") if command == ["INCR", "a"] else 1

    async with connected(say) as (server, redis):
        requested = [redis.execute("INCR", key) for key in ("before", "a", "b")]
        first, second, third = await asyncio.gather(*requested, return_exceptions=True)
        assert len(server.writes) == 1
    assert first == 1
    assert isinstance(second, StoreAnswerError)
    assert isinstance(third, StoreError)
    assert not isinstance(third, StoreAnswerError)


async def test_a_connection_that_the_server_closed_is_replaced_once_and_without_harm() -> None:
    """As after an invocation's freeze; one that we closed opens again when it is used.

    What cannot be sent is its own caller's fault alone.
    """
    async with connected(pong) as (server, redis):
        for _ in range(2):
            assert await redis.execute("PING") == "PONG"
        assert server.connections == 1
        await server.hang_up()
        for _ in range(2):
            assert await redis.execute("PING") == "PONG"
        assert server.connections == 2
        await redis.close()
        requested = [redis.execute("GET", key) for key in ("\ud800", "b")]
        wrong, right = await asyncio.gather(*requested, return_exceptions=True)
        assert (isinstance(wrong, StoreError), right) == (True, "b")


async def test_a_connection_that_was_not_used_for_long_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in between may have forgotten it without a word."""
    async with connected(pong) as (server, redis):
        assert await redis.execute("PING") == "PONG"
        monkeypatch.setattr(redis_node, "_KEPT_SECONDS", 0)
        assert await redis.execute("PING") == "PONG"
        assert server.connections == 2


@pytest.mark.parametrize("text", ["READONLY You can't write", "LOADING not yet", "MASTERDOWN no link"])
async def test_a_server_that_is_not_the_one_to_write_to_is_left(text: str) -> None:
    """After a failover its name leads elsewhere, and a kept connection would not notice."""
    refuses = True
    async with connected(lambda command: ServerError(text.encode()) if refuses else pong(command)) as (server, redis):
        with pytest.raises(StoreAnswerError):
            await redis.execute("SET", "a", "b")
        refuses = False
        assert await redis.execute("PING") == "PONG"
        assert server.connections == 2


async def test_a_cancelled_request_stays_cancelled_and_harms_no_other() -> None:
    """A tool's time limit is not the store's failure, and its late answer is nobody else's."""
    slow = True
    async with connected(lambda command: Hangs() if slow else pong(command)) as (_, redis):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await redis.execute("GET", "a")
        slow = False
        assert await redis.execute("GET", "b") == "b"


def test_another_event_loop_has_connections_of_its_own() -> None:
    served = RespServer(pong)
    redis: list[RedisConnection] = []

    async def invocation() -> None:
        async with served as server:
            if not redis:
                redis.append(RedisConnection(settings_of(server)))
            assert await redis[0].execute("PING") == "PONG"
            await redis[0].close()

    asyncio.run(invocation())
    asyncio.run(invocation())
    assert served.connections == 2


@pytest.mark.parametrize("vouched_for", [True, False])
async def test_tls_is_checked_and_knows_the_same_authorities_as_http(
    vouched_for: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SSL_CERT_FILE is accepted; a certificate that nobody vouches for is refused."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    if vouched_for:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    proxies.tls_context.cache_clear()
    try:
        async with RespServer(pong, context) as server:
            redis = RedisConnection(settings_of(server))
            if vouched_for:
                assert await redis.execute("PING") == "PONG"
            else:
                with pytest.raises(StoreError, match=r"rediss://.*SSLCertVerificationError"):
                    await redis.execute("PING")
            await redis.close()
    finally:
        proxies.tls_context.cache_clear()
