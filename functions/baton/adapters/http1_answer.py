"""One HTTP/1.1 answer, read by httptools from the pieces that come.

Must not: read the answer to HEAD, which tells a length and has no body.
"""

import httpx
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_FIRST_FINAL = 200  # what is below only announces an answer
_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})


class Answer:
    """Its status (0: not there yet), its headers as they were sent, its body.

    `is_whole`: nothing is to come any more; `keeps`: the server keeps the connection, and has said nothing after it.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []
        self.is_whole = self.keeps = False
        self._parser = HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Read a piece.

        Raises:
            httpx.RemoteProtocolError: it is no HTTP.
        """
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            raise httpx.RemoteProtocolError(f"no HTTP answer: {type(error).__name__}") from error

    @property
    def ends_with_connection(self) -> bool:
        """Whether it has no length, so that its end is that of the connection."""
        return self.status >= _FIRST_FINAL and not any(name.lower() in _LENGTHS for name, _ in self.headers)

    def on_message_begin(self) -> None:
        """httptools: an answer begins."""
        self.keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: a header, or a trailer."""
        if not self.is_whole:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """httptools: all headers are there."""
        if not self.is_whole:
            self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body."""
        if not self.is_whole:
            self.body.append(body)

    def on_message_complete(self) -> None:
        """httptools: the answer is whole, or it only announced one."""
        if self.status < _FIRST_FINAL:
            self.status, self.headers = 0, []
        elif not self.is_whole:
            self.is_whole, self.keeps = True, self._parser.should_keep_alive()
