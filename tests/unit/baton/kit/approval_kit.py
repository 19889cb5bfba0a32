"""Tools that need approval, jobs that ask for it, and a stage that runs until somebody is asked."""

from dataclasses import dataclass, field
from typing import Any

from baton import Agent, Call, Limits, Registry, ScriptedModel, Step, ToolContext, ToolError, result_of, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest, ToolMessage
from baton_events.ids import canonical_json
from tests.unit.baton.server.api.client import ADMIN, Api

DAY_SECONDS = 86_400
# A job's time goes on while it waits.
_PATIENT = Limits(wall_seconds=7 * DAY_SECONDS)


@dataclass(frozen=True)
class Ran:
    """One run of a tool."""

    arguments: dict[str, Any]
    attempt: int
    idempotency_key: str


class Repeating(ScriptedModel):
    """A scripted model whose last answer is what it was told last."""

    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        found = [message for message in request.messages if isinstance(message, ToolMessage)]
        return ModelAnswer(canonical_json(found[-1].content)) if found else await super().answer(request)


@dataclass
class Kit:
    """Tools that note with what they ran; `fails`: how many attempts of `pay` fail."""

    ran: list[Ran] = field(default_factory=list[Ran])
    fails: int = 0
    odd_price: bool = False

    def __post_init__(self) -> None:
        @tool(requires_approval=True, approval={"title": "pay a bill", "seconds": DAY_SECONDS}, retries=1)
        async def pay(to: str, amount: int, ctx: ToolContext, password: str = "") -> dict[str, Any]:
            self.ran.append(Ran({"to": to, "amount": amount, "password": password}, ctx.attempt, ctx.idempotency_key))
            if ctx.attempt <= self.fails:
                raise ToolError("the bank is closed", retryable=True)
            return {"paid": amount}

        @tool(retries=0)
        async def price(of: str) -> dict[str, Any]:
            """Look up a price."""
            return {"of": of, "price": "unknown" if self.odd_price else len(of)}

        @tool(retries=0)
        async def note(value: Any) -> Any:
            """Give back what it is given."""
            return {"noted": value}

        self.pay, self.price, self.note = pay, price, note

    def registry(self, **plan: Any) -> Registry:
        """An agent whose model pays once, one that pays twice at once, and one with a plan."""
        once = [Call("pay", {"to": "Ann", "amount": 5})]
        secret = [Call("pay", {"to": "Ann", "amount": 5, "password": "open sesame"})]
        twice = [*once, Call("pay", {"to": "Ben", "amount": 7}), Call("price", {"of": "tea"})]
        steps = [
            Step("price", self.price, {"of": "tea"}),
            Step("pay", self.pay, {"to": "shop", "amount": result_of("price")["price"]}, depends_on=["price"], **plan),
            Step("note", self.note, {"value": result_of("pay")}, depends_on=["pay"]),
        ]
        return Registry(
            [
                Agent(name="pays", model=Repeating([once]), tools=[self.pay], limits=_PATIENT),
                Agent(name="pays-with-password", model=Repeating([secret]), tools=[self.pay], limits=_PATIENT),
                Agent(
                    name="pays-twice",
                    model=ScriptedModel([twice, "done"]),
                    tools=[self.pay, self.price],
                    limits=_PATIENT,
                ),
                Agent(name="plan", plan=steps, limits=_PATIENT),
            ]
        )


async def run_for_an_hour(api: Api) -> None:
    await api.stage.run(within_seconds=3_600)


async def requested(api: Api, agent: str) -> tuple[str, dict[str, Any]]:
    job_id = (await api.submitted(jobType=agent))["id"]
    await run_for_an_hour(api)
    return job_id, (await pending(api, job_id))[0]


async def checkpoints(api: Api, job_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.request("GET", f"/api/agent-jobs/{job_id}/checkpoints")).json()[
        "checkpoints"
    ]
    return found


async def pending(api: Api, job_id: str) -> list[dict[str, Any]]:
    return [checkpoint for checkpoint in await checkpoints(api, job_id) if checkpoint["status"] == "pending"]


async def decide(api: Api, checkpoint: dict[str, Any], method: str = "POST", *, key: str = ADMIN, **body: Any) -> Any:
    """Approve, or reject with `DELETE`; the answer."""
    return await api.request(method, f"/api/admin/agent-checkpoints/{checkpoint['id']}", key, json=body)
