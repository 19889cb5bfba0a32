"""Names with several addresses: one that does not answer costs a quarter of a second, and later nothing."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from baton.store.transport.dialing import Dialer, first_of

V4, V6 = socket.AF_INET, socket.AF_INET6
SOON_SECONDS = 1.0


class Network:
    """Addresses that hang, refuse, or answer; it keeps what was dialed, and what was closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *places: tuple[int, str]) -> None:
        self.places = list(places)
        self.hang: set[str] = set()
        self.refuse: set[str] = set()
        self.slow: dict[str, float] = {}
        self.dialed: list[str] = []
        self.closed: list[str] = []
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)

    def _resolve(self, host: object, port: object, *_: object, **__: object) -> list[object]:
        del host
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in self.places]

    async def connect(self, address: str) -> str:
        self.dialed.append(address)
        if address in self.refuse:
            raise ConnectionRefusedError(address)
        if address in self.hang:
            await asyncio.Event().wait()
        await asyncio.sleep(self.slow.get(address, 0))
        return address

    async def dial(self, dialer: Dialer) -> str:
        return await dialer.dial("store.example.com", 6379, self.connect, self.closed.append)


FOUR = tuple((V4, f"10.0.0.{number}") for number in range(1, 5))


async def test_an_address_that_hangs_costs_a_moment_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network, dialer = Network(monkeypatch, *FOUR), Dialer()
    network.hang = {"10.0.0.1", "10.0.0.2"}
    async with asyncio.timeout(SOON_SECONDS):
        assert await network.dial(dialer) == "10.0.0.3"
    assert network.dialed == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    network.dialed.clear()
    assert [await network.dial(dialer) for _ in range(2)] == ["10.0.0.3", "10.0.0.3"]
    assert network.dialed == ["10.0.0.3", "10.0.0.3"]


async def test_an_address_that_refuses_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network, dialer = Network(monkeypatch, *FOUR), Dialer()
    network.refuse = {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    async with asyncio.timeout(0.2):
        assert await network.dial(dialer) == "10.0.0.4"


async def test_where_all_addresses_fail_the_first_ones_error_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    network, dialer = Network(monkeypatch, *FOUR), Dialer()
    network.refuse = {address for _, address in FOUR}
    with pytest.raises(ConnectionRefusedError, match=r"10\.0\.0\.1"):
        await network.dial(dialer)


async def test_addresses_that_were_given_up_are_tried_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the time was over before the next one's turn: so each attempt comes further."""
    network, dialer = Network(monkeypatch, *FOUR), Dialer()
    network.hang = {"10.0.0.1", "10.0.0.2"}
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await network.dial(dialer)
    async with asyncio.timeout(0.1):
        assert await network.dial(dialer) == "10.0.0.3"


async def test_a_failure_is_forgotten_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    network, dialer = Network(monkeypatch, *FOUR), Dialer()
    dialer.blame("10.0.0.1", 6379)
    assert await network.dial(dialer) == "10.0.0.2"
    loop = asyncio.get_running_loop()
    now: Callable[[], float] = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + 61)
    assert await network.dial(dialer) == "10.0.0.1"


async def test_a_connection_that_came_too_late_is_closed() -> None:
    """Both are there at the same moment."""
    both, closed = asyncio.Event(), list[str]()

    async def connect(address: str) -> str:
        await both.wait()
        return address

    racing = asyncio.create_task(first_of([lambda: connect("a"), lambda: connect("b")], closed.append))
    await asyncio.sleep(0.3)
    both.set()
    assert await racing == (0, "a")
    await asyncio.sleep(0)
    assert closed == ["b"]


async def test_families_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without a route to one of them does not wait for all of its addresses."""
    network = Network(monkeypatch, (V6, "::1"), (V6, "::2"), (V6, "::1"), (V4, "10.0.0.1"), (V4, "10.0.0.2"))
    network.hang = {"::1", "::2", "10.0.0.1", "10.0.0.2"}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.9):
            await network.dial(Dialer())
    assert network.dialed == ["::1", "10.0.0.1", "::2", "10.0.0.2"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_needs_no_resolver(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)

    async def connect(address: str) -> str:
        return address

    assert await Dialer().dial(host, 80, connect, print) == host
