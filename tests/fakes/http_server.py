"""A server of tests, one thread for each connection, that takes a killed client for what it is."""

import socket
import sys
from http.server import ThreadingHTTPServer


class ThreadingServer(ThreadingHTTPServer):
    # A client that starts again connects as many times as it has messages waiting; with the usual 5 the kernel drops
    # most of these connections half made, and they hang for seconds.
    request_queue_size = 1_024

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """A client that was killed takes no answer; anything else is told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)
