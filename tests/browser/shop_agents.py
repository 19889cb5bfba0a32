"""The agents of a shop: what a person on call looks at, and what the gallery shows."""

import asyncio

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry
from baton.sdk.agents.schedule import Schedule
from baton.sdk.models.model import Call, ModelAnswer, ModelRequest
from baton.sdk.models.scripted import ScriptedModel
from baton.sdk.planning.step import Step
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.pending import Pending
from baton.sdk.tools.tool import tool

PAGES = ("terms", "prices", "reviews", "stock", "delivery", "returns")


def answer(text: str, *calls: Call, tokens: int = 900) -> ModelAnswer:
    """What a model of a price says."""
    return ModelAnswer(text, calls, input_tokens=tokens, output_tokens=tokens // 10, cost_usd=tokens * 3e-6)


@tool
async def find_order(number: int) -> dict[str, object]:
    """Find an order."""
    await asyncio.sleep(0.2)
    return {"number": number, "item": "lamp", "euros": 90, "state": "arrived broken"}


@tool(requires_approval=True, background=False)
async def refund(order: int, euros: int, reason: str = "") -> str:
    """Pay money back to the customer."""
    return f"{euros} euros of order {order} are paid back"


@tool
async def read_page(name: str) -> str:
    """Read a page of a supplier."""
    await asyncio.sleep(0.1)
    return f"The page {name} of the supplier: all is as agreed."


@tool
async def count_stock(shelf: int) -> float:
    """Count what is on a shelf."""
    print("counts shelf", shelf)  # noqa: T201 - what a tool's code does
    return 100 / shelf


@tool
async def check_route(part: str) -> str:
    """Check a part of a route."""
    await asyncio.sleep(0.2)
    return f"{part} is open"


class Letters:
    """A model that writes as its instructions say."""

    name = "letters"
    reads_history = False

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """One letter."""
        polite = "warmly" in request.instructions
        return answer("Dear customer, we are truly sorry." if polite else "Your order is late.", tokens=400)


@tool
def ask_research(ctx: ToolContext, about: str) -> Pending:
    """Have the research agent read a supplier's pages."""
    return ctx.start("research", about)


refunds = Agent(
    name="refunds",
    instructions="You decide about refunds. Look the order up first.",
    model=ScriptedModel(
        [
            answer("I look the order up.", Call("find_order", {"number": 1042})),
            answer(
                "Order 1042 arrived broken. The customer asks for half of its price.",
                Call("refund", {"order": 1042, "euros": 45, "reason": "arrived broken"}),
            ),
            answer("The refund is under way, and the customer knows."),
        ]
    ),
    tools=[find_order, refund],
)
research = Agent(
    name="research",
    instructions="You read a supplier's pages, one after the other, and report.",
    model=ScriptedModel(
        [
            *(
                answer(f"Next I read {name}.", Call("read_page", {"name": name}), tokens=1_500 * n)
                for n, name in enumerate(PAGES, start=1)
            ),
            answer("The supplier keeps what it has agreed to.", tokens=12_000),
        ]
    ),
    tools=[read_page],
)
stock = Agent(name="stock", plan=[Step("shelf", count_stock, {"shelf": 0})])
letters = Agent(name="letters", instructions="You write to customers, shortly.", model=Letters())
route = Agent(
    name="route",
    plan=[
        Step("road", check_route, {"part": "the road"}),
        Step("ferry", check_route, {"part": "the ferry"}),
        Step("bridge", check_route, {"part": "the bridge"}, depends_on=["road"]),
        Step("arrival", check_route, {"part": "the yard"}, depends_on=["bridge", "ferry"]),
    ],
)
buyer = Agent(
    name="buyer",
    instructions="You buy from suppliers that keep their word.",
    model=ScriptedModel([[Call("ask_research", {"about": "Is the supplier reliable?"})], answer("We can buy there.")]),
    tools=[ask_research],
)
registry = Registry(
    agents=[refunds, research, stock, letters, route, buyer],
    schedules=[Schedule("nightly", "0 2 * * *", agent=stock, task="Count the shelves", time_zone="Europe/Berlin")],
)
