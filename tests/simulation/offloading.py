"""Model calls that the queue makes: the provider of these worlds, and what becomes of its answers on their way.

An answer is lost, comes again, comes late, beyond its attempt's time too, or comes in part. Nothing of it is asked of a
function: the provider answers by the job's script, as the models of other worlds do.
"""

import json
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest
from baton.sdk.records.transcript import HttpRequest, HttpResponse
from baton.testing.dice import Dice, number_of
from baton_events.messages import ANSWER_RETRIES, FUNCTION_TIMEOUT_SECONDS, Outgoing
from baton_events.schema import ANSWERS_ENDPOINT
from tests.simulation.background import TOLD, continues
from tests.simulation.jobs import JobPlan
from tests.simulation.scripts import INPUT_TOKENS, OUTPUT_TOKENS, TurnPlan

if TYPE_CHECKING:
    from tests.simulation.actors import SimModel
    from tests.simulation.invariants import Write
    from tests.simulation.queue import Message
    from tests.simulation.world import World

PROVIDER_URL = "https://provider.test"
_JOB, _WAY = 211, 212
_LATEST_SECONDS = 400.0
# Of a turn, only so many requests may have an answer that is lost, late or in part: with those that its script fails,
# fewer than its attempts. Whoever lost the answer of every attempt would have a job that rightly fails.
_SPOILED_REQUESTS = 5
_RETRIES = 8


def with_offloaded_calls(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    def offloaded(job: JobPlan) -> JobPlan:
        turns = tuple(replace(turn, how="error") if _ends_in_garbage(turn) else turn for turn in job.script.turns)
        script = replace(job.script, turns=turns, offloads=True, model_retries=_RETRIES)
        kills = any(turn.how == "kill" for turn in job.script.turns)  # a provider kills no process of ours
        return replace(job, script=script) if not kills and dice.roll(_JOB, job.index) < 0.85 else job

    return tuple(map(offloaded, jobs))


def _ends_in_garbage(turn: TurnPlan) -> bool:
    """Whether that is why a job fails: the last answer may be lost, which would be another reason."""
    return turn.forever and turn.how == "garbage"


def is_request(outgoing: Outgoing) -> bool:
    return outgoing.url.startswith(PROVIDER_URL)


def job_of_answer(url: str) -> str:
    """The job to which a message brings an answer; empty: it brings none."""
    _, found, below = url.partition(f"{ANSWERS_ENDPOINT}/")
    return below.partition("/")[0] if found else ""


class Offloaded:
    def __init__(self, model: "SimModel") -> None:
        self._model = model

    async def request_for(self, request: ModelRequest) -> HttpRequest:
        return HttpRequest(f"{PROVIDER_URL}/{self._model.agent}", {"key": "k"}, json.dumps({"turn": request.turn}))

    async def answer_of(self, request: ModelRequest, response: HttpResponse) -> ModelAnswer:
        if response.status != 200:
            after_seconds = float(response.headers.get("retry-after", 0)) or None
            raise ModelError("overloaded", retryable=response.status != 400, retry_after_seconds=after_seconds)
        found = json.loads(response.body)
        if "told" in found:
            return ModelAnswer(TOLD, (), INPUT_TOKENS, OUTPUT_TOKENS)
        garbage: Any = (object(),)
        return self._model.answer_to(request, found["requested"]) if found else ModelAnswer("?", garbage)


class Provider:
    """The provider of a world. `asked`: how often, by agent and turn."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.asked: Counter[tuple[str, int]] = Counter()
        self._scripts = {agent: script for job in world.plan.jobs for agent, script in job.scripts().items()}

    def requests_of(self, plan: JobPlan) -> int:
        return sum(count for (agent, _), count in self.asked.items() if agent in plan.scripts())

    async def answer(self, message: "Message") -> None:
        world, outgoing = self._world, message.outgoing
        agent, turn = outgoing.url.rpartition("/")[2], int(json.loads(outgoing.body)["turn"])
        self.asked[agent, turn] += 1
        goes_on = continues(world.tree(message.job_id), message.job_id)
        seconds, status, body = (
            (0.1, 200, b'{"told": true}') if goes_on else self._thought(agent, turn, self.asked[agent, turn])
        )
        seconds = min(seconds, outgoing.timeout_seconds)
        await world.loop.sleep(seconds)
        spoils = self.asked[agent, turn] <= _SPOILED_REQUESTS
        if spoils and world.faults.strikes("offload", f"{message.name}:cut") and status == 200:
            body = body[: len(body) // 2]
        header = {"Content-Type": ["application/json"], **({"Retry-After": ["3"]} if status == 503 else {})}
        callback = {"status": status, "header": header, "body": b64encode(body).decode(), "sourceMessageId": message.id}
        brought = Outgoing(
            json.dumps(callback),
            outgoing.callback,
            retries=ANSWER_RETRIES,
            waits=outgoing.waits,
            flow=outgoing.callback_flow,
            failure_callback=outgoing.failure_callback,
            timeout_seconds=FUNCTION_TIMEOUT_SECONDS,
            label=outgoing.label,
        )
        for way in range(1 if status == 200 else 2):
            self._bring(brought, f"{message.name}:{way}", number_of(f"{message.name}:{way}"), spoils=spoils)
        world.queue.settle(message)

    def _bring(self, brought: Outgoing, name: str, number: int, *, spoils: bool) -> None:
        world = self._world
        if spoils and world.faults.strikes("offload", name, 1):
            world.note(f"the answer {name} is lost")
            return
        is_late = spoils and world.faults.strikes("offload", name, 2)
        late = _LATEST_SECONDS * world.dice.roll(_WAY, number) ** 3 if is_late else 0.0
        world.queue.accept(brought, late)

    def _thought(self, agent: str, turn: int, asked: int) -> tuple[float, int, bytes]:
        plans = self._scripts[agent].turns
        plan = plans[turn - 1] if turn <= len(plans) else replace(plans[-1], fails=0)
        answer = json.dumps({"requested": asked}).encode()
        if not (plan.forever or asked <= plan.fails):
            return plan.seconds, 200, answer
        match plan.how:
            case "hang":
                return 1e9, 0, b"timeout"
            case "permanent":
                return plan.seconds, 400, b"{}"
            case "garbage":
                return plan.seconds, 200, b"{}"
            case _:
                return plan.seconds, 503, b"{}"


def an_answer_is_of_its_attempt(write: "Write") -> str | None:
    """What a message brings is taken in by the attempt that it was asked for, while that is open."""
    claim: Any = write.claim
    if claim is None or claim.answer is None or not write.answer.applied:
        return None
    item = write.before.items.get(claim.item_key)
    is_open = item is not None and item.offloaded <= claim.answer.number
    return None if is_open else f"answer {claim.answer.number} is taken in, and {item} is open"
