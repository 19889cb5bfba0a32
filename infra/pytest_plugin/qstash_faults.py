"""Faults of the QStash stand-in, on demand: what an endpoint does then is what a test wants to see.

Rules add up; of those that fit a delivery, the one planned first strikes and uses up one of its count. `url` is how the
destination's URL begins, empty for any. All rules end with the test.
"""

from typing import Any

from infra.pytest_plugin.qstash_server import QStashServer

_PATH = "/admin/faults"


class QStashFaults:
    """Plans faults of one server."""

    def __init__(self, server: QStashServer) -> None:
        self._server = server

    def drop_answer(self, count: int = 1, *, url: str = "") -> None:
        """Deliver, then lose the answer: the attempt counts as failed and is repeated."""
        self._add(fault="drop_answer", count=count, url=url)

    def delay(self, seconds: float, count: int = 1, *, url: str = "") -> None:
        """Deliver late, without giving up the message's turn."""
        self._add(fault="delay", seconds=seconds, count=count, url=url)

    def duplicate(self, count: int = 1, *, url: str = "") -> None:
        """Deliver twice, with the same message id and the same number of retries."""
        self._add(fault="duplicate", count=count, url=url)

    def reorder(self, count: int = 2, *, url: str = "", within_seconds: float = 1.0) -> None:
        """Hold so many deliveries, or those that come in time, and let them go in reverse order."""
        self._add(fault="reorder", count=count, seconds=within_seconds, url=url)

    def answer(self, status: int, count: int = 1, *, url: str = "") -> None:
        """Take this for the answer without calling the destination; 0 is a broken connection."""
        self._add(fault="answer", status=status, count=count, url=url)

    def skew_clock(self, seconds: int) -> None:
        """Sign as if the server's clock were ahead by so much, or behind if negative."""
        self._server.call("POST", _PATH, {"clock_skew_seconds": seconds})

    def left(self) -> Any:
        """What has not struck yet."""
        return self._server.call("GET", _PATH)

    def clear(self) -> None:
        """Plan nothing."""
        self._server.call("DELETE", _PATH)

    def _add(self, **rule: Any) -> None:
        self._server.call("POST", _PATH, {"rules": [rule]})
