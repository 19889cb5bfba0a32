"""Agents of the names, and with the answers, that the conformance suite of MCP asks for."""

import asyncio

from baton import Agent, Limits, Registry, Step, ToolContext, task_data, tool


@tool(retries=0)
async def greeting(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}!"


@tool(retries=0)
async def compute(seconds: float) -> str:
    """Take a while."""
    await asyncio.sleep(seconds)
    return "computed"


@tool(retries=0)
async def failing() -> None:
    """Take a while, and fail."""
    await asyncio.sleep(1)
    raise ValueError("this tool always fails")


@tool(retries=0)
async def text() -> str:
    """Say what the suite wants to read."""
    return "This is a simple text response for testing."


@tool(retries=0)
async def working(ctx: ToolContext) -> str:
    """Say how far it is."""
    for percent in (0, 50, 100):
        await ctx.progress(percent / 100, f"{percent} of 100")
        await asyncio.sleep(0.05)
    return "done"


@tool(requires_approval=True, retries=0)
async def delete(filename: str) -> str:
    """Delete a file."""
    return f"deleted {filename}"


@tool(requires_approval=True, retries=0)
async def decide(which: str) -> str:
    """Do what is asked about."""
    return f"{which} decided"


_PATIENT = Limits(wall_seconds=600)


def _asking(name: str, *, rounds: int = 1) -> Agent:
    steps = [Step(str(at), decide, {"which": str(at)}, depends_on=[str(at - 1)] if at else []) for at in range(rounds)]
    return Agent(name=name, plan=steps, limits=_PATIENT, expose="mcp")


def _plain(name: str, step: Step) -> Agent:
    return Agent(name=name, plan=[step], limits=_PATIENT, expose="mcp")


registry = Registry(
    agents=[
        _plain("greet", Step("say", greeting, {"name": task_data["name"]})),
        _plain("slow_compute", Step("run", compute, {"seconds": task_data["seconds"]})),
        _plain("failing_job", Step("run", failing)),
        _plain("confirm_delete", Step("delete", delete, {"filename": task_data["filename"]})),
        Agent(
            name="multi_input",
            plan=[Step(which, decide, {"which": which}) for which in ("first", "second")],
            limits=_PATIENT,
            expose="mcp",
        ),
        _plain("test_simple_text", Step("say", text)),
        _plain("test_error_handling", Step("run", failing)),
        _plain("test_logging_tool", Step("say", text)),
        _plain("test_tool_with_progress", Step("work", working)),
        _asking("test_streaming_elicitation"),
        _asking("test_input_required_result_request_state"),
        _asking("test_input_required_result_tampered_state"),
        _asking("test_input_required_result_multi_round", rounds=2),
    ]
)
