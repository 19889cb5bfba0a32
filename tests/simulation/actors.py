"""What the models and tools of generated jobs do: they act by a job's script. Which world they act in says `STAGE`."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from baton.engine.commit.answers import Claim, ClaimResult, Verdict
from baton.sdk.models.model import Call, ModelAnswer, ModelError, ModelRequest, ToolMessage
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.pending import Pending, RunAgain
from baton.sdk.tools.tool_error import ToolError
from baton.testing.virtual_loop import Crashed
from baton.worker.executors.tool_context import StoreChannel
from tests.simulation.approving import ON_APPROVED_START
from tests.simulation.background import TOLD, continues
from tests.simulation.blocking import ON_BLOCKING_START
from tests.simulation.call_limits import ON_LIMITED_START
from tests.simulation.dying import ON_DYING_START, a_turn_that_kills_is_not_run_for_ever
from tests.simulation.hosted import ON_HISTORY
from tests.simulation.invocation import CURRENT, Invocation
from tests.simulation.odd import ON_ODD_START, Paid
from tests.simulation.odd_values import ODD_CALLS, ODD_TURNS, SENT
from tests.simulation.offloading import Offloaded
from tests.simulation.programs import arguments_of, code_of
from tests.simulation.scripts import (
    BLOCKING_TOOLS,
    INPUT_TOKENS,
    ODD_TOOL,
    OUTPUT_TOKENS,
    RESULT_LIMIT_BYTES,
    UNKNOWN_TOOL,
    WAITING_TOOLS,
    CallPlan,
    Script,
    TurnPlan,
    final_text,
    more_words,
)
from tests.simulation.speaking import content_of, number_in, planned, say, seen_of_plan
from tests.simulation.starting import ON_START, Run, Start

if TYPE_CHECKING:
    from tests.simulation.world import World

_ON_START = (*(*ON_START, *ON_APPROVED_START, *ON_DYING_START), *(*ON_BLOCKING_START, *ON_LIMITED_START, *ON_ODD_START))
_ENDLESS_SECONDS, _TEXT_STREAM = 10_000.0, 81
# Between the runs of a call, by its number.
_PAUSES_SECONDS: tuple[tuple[float, ...], ...] = ((0.5, 3.0, 30.0), (), (0.0,), (100.0, 400.0))


class Stage:
    world: "World"


STAGE = Stage()


class SimModel:
    """A model that follows a job's script. It fails by count, so its failures may be used up by attempts that crash."""

    name = "sim"

    def __init__(self, script: Script, agent: str = "") -> None:
        self.agent = agent
        self._script = script
        self._requested: Counter[int] = Counter()
        self._killing: Counter[str] = Counter()  # by job: a client whose request failed has several

    @property
    def reads_history(self) -> bool:
        return self._script.reads_history

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        turns = self._script.turns
        # One that is told more when it has answered answers again.
        plan = turns[request.turn - 1] if request.turn <= len(turns) else replace(turns[-1], fails=0)
        if continues(STAGE.world.tree(CURRENT.get().job_id), CURRENT.get().job_id):
            await STAGE.world.actors.work("work.model", 0.1)
            return ModelAnswer(TOLD, (), INPUT_TOKENS, OUTPUT_TOKENS)
        STAGE.world.check(ON_HISTORY, (STAGE.world, request))
        self._requested[request.turn] += 1
        requested = self._requested[request.turn]
        if plan.how == "kill":
            about = f"turn {request.turn} of {CURRENT.get().job_id}"
            self._killing[about] += 1
            a_turn_that_kills_is_not_run_for_ever(STAGE.world, about, self._killing[about], self._script.model_retries)
        STAGE.world.actors.paid.asked(CURRENT.get().job_id, request.turn, self._script.model_retries)
        await STAGE.world.actors.work("work.model", plan.seconds)
        if plan.forever or requested <= plan.fails:
            if self._script.words:
                text = f"attempt {requested} of turn {request.turn} comes to nothing{more_words(requested)}"
                await say(STAGE.world, request, text)
            return await _fail(plan, request.turn)
        answer = self.answer_to(request, requested)
        if self._script.words:
            await say(STAGE.world, request, answer.text)
        return answer

    async def offloaded(self) -> Offloaded:
        return Offloaded(self)

    def answer_to(self, request: ModelRequest, requested: int) -> ModelAnswer:
        """Say what the script says for this turn; `requested`: the so-manieth time."""
        if self._script.program:
            return _by_script(self._script, request)
        turns = self._script.turns
        plan = turns[request.turn - 1] if request.turn <= len(turns) else replace(turns[-1], fails=0)
        text = plan.pieces if plan.calls else final_text(self._script, _seen(request))
        calls = tuple(_call(call, requested if self._script.fickle else 0) for call in plan.calls)
        if calls and self._script.plans:
            calls = (planned(plan, calls, request.turn),)
        return ModelAnswer(text, calls, INPUT_TOKENS, OUTPUT_TOKENS)


async def _fail(plan: TurnPlan, turn: int) -> ModelAnswer:
    if plan.how in ODD_TURNS:
        odd: ModelAnswer = ODD_TURNS[plan.how].does(turn)
        return odd
    match plan.how:
        case "hang":
            await asyncio.sleep(_ENDLESS_SECONDS)
        case "garbage":
            garbage: Any = (object(),)
            return ModelAnswer("?", garbage)
        case "bug":
            raise RuntimeError("a bug in the model's client")
        case "kill":
            raise STAGE.world.actors.killed()
    raise ModelError("overloaded", retryable=plan.how != "permanent", retry_after_seconds=3.0 if plan.fails else None)


def _by_script(script: Script, request: ModelRequest) -> ModelAnswer:
    """Send the script, or say what has come of it."""
    found = [message.content for message in request.messages if isinstance(message, ToolMessage)]
    calls = () if found else (Call("run_code", {"code": code_of(script)}),)
    return ModelAnswer(str(found[-1].get("value", found)) if found else "", calls, INPUT_TOKENS, OUTPUT_TOKENS)


def _seen(request: ModelRequest) -> list[tuple[str, int, str]]:
    found = [message for message in request.messages if isinstance(message, ToolMessage)]
    if request.step_tools:
        return [step for message in found for step in seen_of_plan(message, request.messages)]
    return [(message.tool, number_in(message.call_id), content_of(message)) for message in found]


def _call(plan: CallPlan, nonce: int) -> Call:
    if plan.how == "bad":
        return Call(plan.tool, {"number": "not a number"})
    name = UNKNOWN_TOOL if plan.how == "unknown" else plan.tool
    arguments = arguments_of(plan, nonce)
    if plan.tool in BLOCKING_TOOLS:
        arguments["stuck"] = plan.stuck
    if plan.tool == ODD_TOOL:
        arguments["value"] = SENT[plan.number % len(SENT)][0]
    return Call(name, arguments)


class Actors:
    """The tools' side of one world: who has claimed which work item when, and which runs go on."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._claimed: dict[tuple[str, str], float] = {}
        self.runs: dict[str, list[Run]] = {}
        self.keys, self.deaths, self.kills = dict[str, str](), Counter[str](), Counter[str]()
        self.at_work, self.died_at_work = set[tuple[Invocation, str]](), Counter[tuple[str, str]]()
        self.paid = Paid(world)
        self.shown, self.again = Counter[tuple[str, str]](), Counter[str]()

    def claim_result(self, claim: Claim, answer: ClaimResult) -> None:
        """An invocation is granted a work item, at this moment; a repeat of the command changes nothing."""
        if claim.call_id and answer.verdict is Verdict.GRANTED:
            self._claimed.setdefault((claim.owner, claim.item_key), self._world.loop.seconds)

    def claimed_at(self, claim: Claim) -> float:
        return self._claimed.get((claim.owner, claim.item_key), 0.0)

    def given_back(self, claim: Claim) -> None:
        for run in self.runs.get(claim.call_id, ()):
            if run.item_key == claim.item_key and run.owner == claim.owner:
                run.given_back = True

    async def work(self, point: str, seconds: float) -> None:
        """Some work of an invocation; it may crash at its beginning or its end."""
        world, who = self._world, CURRENT.get()
        world.wire.step(who, point)
        fault = world.faults.pick(who, point, "work")
        if fault:
            world.record(who, f"{point}: {fault}")
        if fault == "crash-before":
            raise who.crash()
        await world.loop.sleep(seconds)
        if fault:
            raise who.crash()

    def killed(self) -> Crashed:
        """Its process dies of this work, with all that is at work there."""
        who = CURRENT.get()
        self.kills[who.job_id] += 1
        self._world.record(who, "kills its process")
        self._world.processes.die(who)
        return who.crash()

    async def run(self, name: str, arguments: dict[str, Any], context: ToolContext) -> Any:
        world, who, call_id = self._world, CURRENT.get(), context.call_id
        claim = _claim_of(context)
        run = self._run(name, claim, context)
        start = Start(world, name, arguments, context, run)
        world.check(_ON_START, start)
        runs, loop = self.runs.setdefault(call_id, []), world.loop
        runs.append(run)
        world.record(who, f"{name} starts, attempt {context.attempt} of {call_id}")
        if run.limit_seconds:
            world.threads.started(run)
        try:
            if name == "talker":
                await self._text_stream(context, claim)
            if name in WAITING_TOOLS:
                world.outside.claim_result(context, arguments["number"])
            await self.work("work.tool", arguments["seconds"])
            if arguments["how"] == "kill" and sum(one.of == run.of for one in runs) <= arguments["times"]:
                raise self.killed()
            return await (_odd_end if arguments["how"] in ODD_CALLS else _end)(name, arguments, context)
        except ToolError as error:
            if arguments["how"] not in ODD_CALLS:
                error.retry_after_seconds = world.call_limits.patience_of(arguments["number"])
            raise
        finally:
            run.goes_on, run.ended_at = False, loop.seconds

    def _run(self, name: str, claim: Claim, context: ToolContext) -> Run:
        world, who = self._world, CURRENT.get()
        job = world.tree(context.job_id).jobs.get(context.job_id)
        limit_seconds = BLOCKING_TOOLS[name].timeout_seconds if name in BLOCKING_TOOLS else 0.0
        return Run(
            item_key=claim.item_key,
            owner=claim.owner,
            who=who,
            claimed_at=self.claimed_at(claim),
            leased_at=(claim.now_ms - who.skew_ms - world.epoch_ms) / 1000,
            started_at=world.loop.seconds,
            key=context.idempotency_key,
            of=job.run if job else 0,
            look=(context.memo or {}).get("ran", 0),
            limit_seconds=min(limit_seconds, world.plan.work_timeout_seconds),
        )

    async def _text_stream(self, context: ToolContext, claim: Claim) -> None:
        times = self._world.dice.whole(1, 4, _TEXT_STREAM, CURRENT.get().number)
        for time in range(1, times + 1):
            self.shown[claim.owner, claim.item_key] += 1
            if time == 1:
                await context.info("begun", {"attempt": context.attempt})
            else:
                await context.progress(time / times, "")


def _claim_of(context: ToolContext) -> Claim:
    channel = context.channel
    assert isinstance(channel, StoreChannel), "a tool speaks through its claim"
    return channel._claim


async def _odd_end(name: str, arguments: dict[str, Any], context: ToolContext) -> Any:
    odd = ODD_CALLS[arguments["how"]]
    if context.attempt <= arguments["times"] or not odd.again:
        STAGE.world.actors.again[context.job_id] += odd.most == 1  # it waits for so long that it gives its slot back
        return odd.does(arguments["number"])
    return await _end(name, arguments, context)


async def _end(name: str, arguments: dict[str, Any], context: ToolContext) -> Any:
    now_fails = context.attempt <= arguments["times"]
    match arguments["how"]:
        case "fail" if now_fails:
            raise ToolError(f"{name} fails", retryable=True)
        case "bug" if now_fails:
            raise ValueError("a bug in the tool")
        case "stuck" if now_fails:
            await asyncio.sleep(arguments["stuck"])
            if arguments["number"] % 2:
                raise ToolError(f"{name} fails at last", retryable=True)
        case "hang" if now_fails:
            await asyncio.sleep(_ENDLESS_SECONDS)
        case "refuse":
            raise ToolError(f"{name} refuses")
        case "huge":
            return "x" * (RESULT_LIMIT_BYTES + 1)
        case "strange":
            return object()
    if name in WAITING_TOOLS:
        return _waiting(name, arguments, context)
    done = {"number": arguments["number"]}
    return (_again(name, arguments["number"], context) or done) if STAGE.world.plan.again else done


def _again(name: str, number: int, context: ToolContext) -> RunAgain | None:
    """When the call runs again; None: it is over. It knows how often it has run by its memo alone."""
    ran = (context.memo or {}).get("ran", 0)
    pauses = _PAUSES_SECONDS[number % len(_PAUSES_SECONDS)]
    if name in BLOCKING_TOOLS or ran == len(pauses):
        return None
    STAGE.world.actors.again[context.job_id] += 1
    return RunAgain(after_seconds=pauses[ran], memo={"ran": ran + 1})


def _waiting(name: str, arguments: dict[str, Any], context: ToolContext) -> Pending:
    match name:
        case "order":
            return Pending(timeout_seconds=arguments["limit"])
        case "listen":
            return Pending(timeout_seconds=arguments["limit"], event=arguments["name"], operation=False)
        case "nap":
            slept = {"slept": arguments["number"]}
            return Pending(timeout_seconds=arguments["limit"], otherwise=slept, operation=False)
        case _:
            return context.start(arguments["name"], "help", {"from": context.job_id})
