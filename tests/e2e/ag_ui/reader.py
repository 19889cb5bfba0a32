"""A front end that reads a run over HTTP, goes away now and then, and comes back with the last id that it has."""

import json
import urllib.request

from tests.e2e.dev_stack import DevStack
from tests.e2e.stream_reader import StreamReader


class RunReader(StreamReader):
    """Reads a run's events; the same request starts it."""

    def __init__(self, stack: DevStack, run: str, seed: int) -> None:
        super().__init__(stack, run, seed)
        message = {"id": f"message-{run}", "role": "user", "content": "hello"}
        self._body = json.dumps({"threadId": f"thread-{run}", "runId": run, "messages": [message]}).encode()

    def request(self, headers: dict[str, str]) -> urllib.request.Request:
        url = f"{self.stack.described['app_url']}/api/ag-ui/talker"
        return urllib.request.Request(url, self._body, headers | {"Content-Type": "application/json"})

    def is_last(self, data: str) -> bool:
        """It is an event of its own, and is read as others are."""
        if '"type":"RUN_FINISHED"' in data:
            self.done = True
        return False
