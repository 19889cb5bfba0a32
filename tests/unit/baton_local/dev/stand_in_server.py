"""A part that answers 200 on every GET, for tests of the supervisor: `stand_in_server.py PORT [NOTES]`.

Notes its pid when it starts and when SIGTERM ends it, so that tests can read the order of events.
"""

import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


def main() -> None:
    port = int(sys.argv[1])
    notes = Path(sys.argv[2]) if len(sys.argv) > 2 else None

    def note(text: str) -> None:
        if notes is not None:
            with notes.open("a") as file:
                file.write(f"{text}\n")

    def end(_number: int, _frame: FrameType | None) -> None:
        note(f"end {port}")
        os._exit(0)

    given = os.environ.get("LOCAL_PART_SOCKET")  # noqa: TID251 - as a part does
    server = HTTPServer(("127.0.0.1", port), Answer, bind_and_activate=given is None)
    if given is not None:
        server.socket = socket.socket(fileno=int(given))
    signal.signal(signal.SIGTERM, end)
    note(f"start {port}")
    server.serve_forever()


main()
