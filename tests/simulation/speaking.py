"""What models of generated jobs say: word by word, after a withdrawn draft; or a plan; and what they read."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from baton.sdk.models.model import Call, Message, ModelMessage, ModelRequest, ToolMessage
from baton_events.ids import canonical_json
from tests.simulation.invocation import CURRENT
from tests.simulation.scripts import WAITING_TOOLS, TurnPlan, value_from

if TYPE_CHECKING:
    from tests.simulation.world import World

_PAUSE, _DRAFT = 131, 132
_LONGEST_PAUSE_SECONDS = 0.2


async def say(world: "World", request: ModelRequest, text: str) -> None:
    """Say it to whoever listens. Another model of the chain begins anew: what the one before said is withdrawn."""
    listener, who = request.listener, CURRENT.get()
    if listener is None or not text:
        return
    if world.dice.chance(0.15, _DRAFT, who.number, request.turn):
        for word in ("this", " is", " a", " draft"):
            await listener.write(word)
        await listener.withdrawn()
    first, *others = text.split(" ")
    for number, piece in enumerate((first, *(f" {word}" for word in others))):
        await world.loop.sleep(_LONGEST_PAUSE_SECONDS * world.dice.roll(_PAUSE, who.number, request.turn, number))
        await listener.write(piece)


def planned(plan: TurnPlan, calls: Sequence[Call], turn: int) -> Call:
    """The plan that makes these calls; where it can, a step takes a value from the result of one before it."""
    steps: list[dict[str, Any]] = []
    for position, (step, call) in enumerate(zip(plan.calls, calls, strict=True)):
        arguments = dict(call.arguments)
        taken = value_from(turn, plan, step)
        if taken is not None:
            arguments["nonce"] = {"$resultOf": {"step": f"s{taken}", "path": ["number"]}}
        steps.append(
            {
                "name": f"s{position}",
                "tool": call.tool,
                "arguments": arguments,
                "depends_on": [f"s{before}" for before in step.after],
                "on_failure": step.on_failure,
            }
        )
    return Call("make_plan", {"steps": steps})


def content_of(message: ToolMessage) -> str:
    """What a model that reads makes of a result: its error, or the word of a call that waited."""
    if message.is_error:
        return str(message.content["type"])
    goes_on = isinstance(message.content, dict) and "operationId" in message.content
    return canonical_json(message.content) if message.tool in WAITING_TOOLS or goes_on else ""


def seen_of_plan(found: ToolMessage, messages: Sequence[Message]) -> Iterator[tuple[str, int, str]]:
    """The same of each step of a plan that is over: its tool, its number, and what came of it."""
    made = next(
        call
        for message in messages
        if isinstance(message, ModelMessage)
        for call in message.calls
        if call.call_id == found.call_id
    )
    turn = number_in(found.call_id) // 100
    for step in made.arguments["steps"]:
        stored = found.content[step["name"]]
        content = stored["ok"] if "ok" in stored else stored["error"]
        result = ToolMessage(found.call_id, step["tool"], content, is_error="ok" not in stored)
        yield step["tool"], 100 * turn + int(step["name"][1:]), content_of(result)


def number_in(call_id: str) -> int:
    """The number that the script gave the call with this id: its turn and position."""
    turn, position = call_id.split("-")[1:3]
    return 100 * int(turn) + int(position)
