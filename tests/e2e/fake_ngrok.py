"""ngrok for tests: `fake_ngrok.py http PORT --log stdout`. Forwards to the port, and tells of itself as the agent does.

`FAKE_NGROK_API`: the port of its local API. `FAKE_NGROK_PUBLIC`: the port of its public side, on this machine.
"""

import http.client
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""

    def answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    local = int(sys.argv[2])
    api, public = (int(os.environ[name]) for name in ("FAKE_NGROK_API", "FAKE_NGROK_PUBLIC"))  # noqa: TID251 - a program
    tunnel = {"public_url": f"http://127.0.0.1:{public}", "config": {"addr": f"http://localhost:{local}"}}

    class Api(Quiet):
        def do_GET(self) -> None:
            self.answer(200, json.dumps({"tunnels": [tunnel], "uri": "/api/tunnels"}).encode(), "application/json")

    class Forward(Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            try:
                connection = http.client.HTTPConnection("127.0.0.1", local, timeout=30)
                connection.request("POST", self.path, body, dict(self.headers.items()))
                response = connection.getresponse()
                self.answer(response.status, response.read(), response.getheader("Content-Type", "text/plain"))
            except OSError:
                self.answer(502, b"ERR_NGROK_8012: nothing listens there", "text/html")

    threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", public), Forward).serve_forever, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", api), Api).serve_forever()


main()
