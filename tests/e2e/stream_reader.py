"""Clients that read a job's stream over HTTP, go away now and then, and come back with the last id that they have."""

import json
import threading
import time
import urllib.request
from typing import Any

from tests.e2e.dev_stack import RECOVERY_SECONDS, DevStack

_PAUSE_SECONDS = 0.2
# After how many it goes away: which comes first follows from the reader's seed.
_EVENTS = (1, 8, 10_000, 3, 40, 2, 17)


class StreamReader(threading.Thread):
    """Reads until the stream's end. `events`: (id, part) as they came; `breaks`: how often it left.

    `key`: an operator's, who gets each part.
    """

    key = "admin_key"

    def __init__(self, stack: DevStack, job_id: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.breaks = 0
        self.done = False
        self.stack = stack
        self.job_id = job_id
        self._seed = seed

    @property
    def parts(self) -> list[dict[str, Any]]:
        return [part for _, part in self.events]

    def run(self) -> None:
        """Read; whatever breaks the connection, come back."""
        give_up_at = time.monotonic() + RECOVERY_SECONDS
        while not self.done and time.monotonic() < give_up_at:
            try:
                self.read(_EVENTS[(self._seed + 3 * self.breaks) % len(_EVENTS)])
            except OSError:  # the app is away, or was killed
                time.sleep(_PAUSE_SECONDS)
            self.breaks += 1

    def request(self, headers: dict[str, str]) -> urllib.request.Request:
        url = f"{self.stack.described['app_url']}/api/agent-jobs/{self.job_id}/stream"
        return urllib.request.Request(url, headers=headers)

    def is_last(self, data: str) -> bool:
        self.done = data == "data: [DONE]"
        return self.done

    def read(self, most: int = 1_000_000) -> None:
        """Read so many events, on one connection."""
        headers = {"Authorization": f"Bearer {self.stack.described[self.key]}"}
        if self.events:
            headers["Last-Event-ID"] = self.events[-1][0]
        number = ""
        with urllib.request.urlopen(self.request(headers), timeout=60) as answer:
            for line in answer:
                text = line.decode().rstrip("\n")
                if text.startswith("id: "):
                    number = text.removeprefix("id: ")
                elif text.startswith("data: "):
                    if self.is_last(text):
                        return
                    self.events.append((number, json.loads(text.removeprefix("data: "))))
                    most -= 1
                    if most == 0:
                        return


class RunReader(StreamReader):
    """Reads a run of AG-UI; the same request starts it."""

    key = "client_key"

    def request(self, headers: dict[str, str]) -> urllib.request.Request:
        run = self.job_id
        message = {"id": f"message-{run}", "role": "user", "content": "hello"}
        body = json.dumps({"threadId": f"thread-{run}", "runId": run, "messages": [message]}).encode()
        url = f"{self.stack.described['app_url']}/api/ag-ui/talker"
        return urllib.request.Request(url, body, headers | {"Content-Type": "application/json"})

    def is_last(self, data: str) -> bool:
        """It is an event of its own, and is read as others are."""
        self.done = self.done or '"type":"RUN_FINISHED"' in data
        return False


def standing_texts(parts: list[dict[str, Any]]) -> list[str]:
    """The texts as a client that follows the protocol has them: without those that were abandoned."""
    texts: dict[str, str] = {}
    still = ""
    for part in parts:
        match part["type"]:
            case "text-start":
                assert not still, f"{part} while {still} is open"
                assert part["id"] not in texts
                texts[part["id"]], still = "", part["id"]
            case "text-delta":
                assert part["id"] == still
                texts[part["id"]] += part["delta"]
            case "text-end":
                assert part["id"] == still
                still = ""
            case "data-retry":
                texts.pop(part["data"]["textId"])
    assert not still
    return list(texts.values())


def standing_messages(events: list[dict[str, Any]]) -> list[str]:
    """The agent's texts of a run as a front end has them: a snapshot takes out those that were abandoned."""
    texts: dict[str, str] = {}
    for event in events:
        match event["type"]:
            case "TEXT_MESSAGE_CONTENT":
                texts[event["messageId"]] = texts.get(event["messageId"], "") + event["delta"]
            case "MESSAGES_SNAPSHOT":
                stand = {message["id"] for message in event["messages"]}
                texts = {message_id: text for message_id, text in texts.items() if message_id in stand}
            case _:
                pass
    return list(texts.values())
