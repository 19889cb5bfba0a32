"""Calls of the API, as whoever is outside makes them: an answer, or a connection that broke."""

import json
from typing import TYPE_CHECKING, Any

from baton.testing.asgi import Answer
from baton.testing.dice import number_of
from baton.testing.virtual_loop import Crashed
from baton.worker.commands.backup import BACKED_UP_MS
from tests.simulation.guarantee import ON_SETTLE, Settled
from tests.simulation.invocation import Invocation

if TYPE_CHECKING:
    from tests.simulation.world import World

SUBMIT_PATH = "/api/agent-jobs"


def key_of(tenant: str) -> str:
    return f"key of {tenant}"


class Caller:
    """Somebody who calls the API. `label`: their name; `counted`: a job or agent to which the messages belong."""

    def __init__(self, world: "World", label: str, counted: str) -> None:
        self._world = world
        self._label = label
        self._counted = counted
        self.calls = 0
        self.faulty, self.last = False, ""

    async def request(
        self, kind: str, method: str, path: str, body: Any = None, key: str = "", **headers: str
    ) -> Answer | None:
        """One call; None when the connection broke. `faulty`: whether it met a fault; `last`: its name."""
        world, url = self._world, self._world.base_url + path
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            headers["authorization"] = f"Bearer {key}"
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.calls += 1
        requested_at = world.loop.seconds
        name = f"{kind}:{self._label}#{self.calls}"
        who = Invocation(name, number_of(name), kind)
        world.enroll(who)
        world.calling.add(name)
        world.hosting.started(who, url, lambda: None)
        try:
            answer = await world.post(url, {"content-type": "application/json", **headers}, sent, method)
        except Crashed:
            answer = None
        answer = None if who.ended else answer
        world.calling.discard(name)
        self.faulty, self.last = who.faulty, name
        world.returned(who, answer)
        world.api_calls[self._counted] += 1
        unfinished = answer is None or answer.status == 503 or who.unsent
        late = unfinished and world.loop.seconds - requested_at >= BACKED_UP_MS / 1000
        world.check(ON_SETTLE, Settled(world, name, "late" if late else "over", tuple(world.trees.values())))
        return answer

    def check(self, answer: Answer | None, about: str, *known: int) -> None:
        """Say so, if it is answered what nobody knows."""
        if answer is not None and answer.status not in known:
            self._world.broken("an_api_answer_is_a_known_one", f"{about}: {answer}")
