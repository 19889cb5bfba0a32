"""The additions to an agent for one piece of a run.

It stops before calls that are made elsewhere, and continues with the counts and lists of earlier pieces.
"""

from collections.abc import MutableMapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, is_dataclass, replace
from itertools import count
from typing import Any, Self

from pydantic import BaseModel
from pydantic_ai import Agent, CallToolsNode, UserPromptNode
from pydantic_ai.capabilities import (
    AbstractCapability,
    CapabilityOrdering,
    CombinedCapability,
    WrapperCapability,
    WrapRunHandler,
)
from pydantic_ai.exceptions import CallDeferred, ModelRetry
from pydantic_ai.messages import ModelResponse, ToolReturn
from pydantic_ai.models import Model
from pydantic_ai.run import AgentRunResult
from pydantic_ai.tools import DeferredToolRequests, RunContext, Tool, ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset, ToolsetTool, WrapperToolset
from pydantic_core import to_jsonable_python

from baton.sdk.models.through_pydantic_ai.whole import CallIds, WholeModel
from baton.sdk.pydantic_ai.run_objects import RunObjects, parts
from baton.sdk.tools.contained import CutShortError
from baton_events.values.json_value import Unrecordable, plain
from baton_events.values.text import storable

# What these do is what the capabilities in them do.
_HANDING_ON = (CombinedCapability, WrapperCapability)
ToolLists = MutableMapping[str, list[ToolDefinition]]
_DEPTH = 100
_OF_NODES = ("before_node_run", "wrap_node_run", "after_node_run", "on_node_run_error")


def leaf_toolsets(agent: Agent[Any, Any]) -> list[AbstractToolset[Any]]:
    leaves: list[AbstractToolset[Any]] = []
    for toolset in agent.toolsets:
        toolset.apply(leaves.append)
    return leaves


def function_tools(agent: Agent[Any, Any]) -> list[Tool[Any]]:
    """Return the agent's tools that are functions, as they are before a run, under their own names."""
    return [tool for leaf in leaf_toolsets(agent) if isinstance(leaf, FunctionToolset) for tool in leaf.tools.values()]


class StoppedError(Exception):
    """The run has calls that need a person, or another piece of work."""

    def __init__(self, requests: DeferredToolRequests) -> None:
        super().__init__("the run waits for calls that are made elsewhere")
        self.requests = requests

    def ids_in(self, response: ModelResponse) -> list[str]:
        """Return the calls' ids, in the order in which the model made them."""
        waiting = {part.tool_call_id for part in (*self.requests.calls, *self.requests.approvals)}
        return [part.tool_call_id for part in response.tool_calls if part.tool_call_id in waiting]


@dataclass
class ListedOnce(WrapperToolset[Any]):
    """A server's tools, listed in the first piece of a run; later ones connect to it for a call alone."""

    key: str
    lists: ToolLists
    connects: bool = field(default=False, init=False)

    async def __aenter__(self) -> Self:
        """Connect for the list, or for instructions."""
        self.connects = self.key not in self.lists or getattr(self.wrapped, "include_instructions", False)
        return await super().__aenter__() if self.connects else self

    async def __aexit__(self, *args: object) -> bool | None:
        return await super().__aexit__(*args) if self.connects else None

    async def get_tools(self, ctx: RunContext[Any]) -> dict[str, ToolsetTool[Any]]:
        if self.key not in self.lists:
            self.lists[self.key] = [tool.tool_def for tool in (await super().get_tools(ctx)).values()]
        return {one.name: await self.wrapped.get_tool_for_tool_def(one, ctx) for one in self.lists[self.key]}


@dataclass(eq=False)
class Piece(AbstractCapability[Any]):
    """One piece of a run, around all other capabilities.

    `retries`: of each tool, before; `answers`: the one whose call it makes, if any. `begins`: it is the first one.
    `again`: another piece has run, or runs, the hooks of its first node with calls. `late`: whether the agent's own
    capabilities were asked for the result of its call.
    """

    _: KW_ONLY
    retries: dict[str, int]
    lists: ToolLists
    objects: RunObjects
    answers: Sequence[ModelResponse]
    begins: bool
    again: bool
    late: bool = False
    _known_node: Any = None
    _ids: CallIds = field(default_factory=CallIds)

    def get_ordering(self) -> CapabilityOrdering:
        """Stand around the others: they see nothing of what a piece stops or sets."""
        return CapabilityOrdering(position="outermost")

    async def wrap_run(self, ctx: RunContext[Any], *, handler: WrapRunHandler) -> AgentRunResult[Any]:
        """Set what the run's objects held, and begin the run in its first piece alone."""
        root: Any = ctx.root_capability
        self.objects.begin(root)
        if _has_any(root, _OF_NODES):
            self._quieten(root)
        if not self.begins:
            root.before_run = _begun  # the run's own object, not the agent's
            for one in self.objects.remade():
                await one.before_run(ctx)
        return await handler()

    def _quieten(self, root: Any) -> None:
        """Leave out hooks of nodes that another piece has run, too: in the run's own object, not the agent's."""
        before, around, after, failed = [getattr(root, name) for name in _OF_NODES]

        async def before_node_run(ctx: Any, *, node: Any) -> Any:
            return node if self._is_known(node) else await before(ctx, node=node)

        async def wrap_node_run(ctx: Any, *, node: Any, handler: Any) -> Any:
            return await (handler(node) if self._is_known(node) else around(ctx, node=node, handler=handler))

        async def after_node_run(ctx: Any, *, node: Any, result: Any) -> Any:
            return result if self._is_known(node) else await after(ctx, node=node, result=result)

        async def on_node_run_error(ctx: Any, *, node: Any, error: Exception) -> Any:
            if isinstance(error, StoppedError):  # no error of the node
                raise error
            return await failed(ctx, node=node, error=error)

        hooks = before_node_run, wrap_node_run, after_node_run, on_node_run_error
        vars(root).update(zip(_OF_NODES, hooks, strict=True))

    def _is_known(self, node: Any) -> bool:
        if isinstance(node, UserPromptNode):
            return not self.begins
        if isinstance(node, CallToolsNode) and self.again and self._known_node is None:
            self._known_node = node
        return node is self._known_node

    async def handle_deferred_tool_calls(self, ctx: RunContext[Any], *, requests: DeferredToolRequests) -> None:  # noqa: ARG002 - a hook
        """Note that the agent's own capabilities are asked."""
        self.late = True

    def get_wrapper_model(self, model: Model) -> Model:
        """Take only whole answers, with an id of its own for each call."""
        return WholeModel(model, self._ids)

    def get_wrapper_toolset(self, toolset: AbstractToolset[Any]) -> AbstractToolset[Any]:
        """List a server's tools in one piece alone, where its toolset allows it: an MCP server's."""
        numbers = count(1)

        def listed_once(leaf: AbstractToolset[Any]) -> AbstractToolset[Any]:
            if not getattr(leaf, "cache_tools", False):
                return leaf
            return ListedOnce(leaf, leaf.id or f"server {next(numbers)}", self.lists)

        return toolset.visit_and_replace(listed_once)

    async def prepare_tools(self, ctx: RunContext[Any], tool_defs: list[ToolDefinition]) -> list[ToolDefinition]:
        """Add the earlier retries to the counts in the first step."""
        ctx.retries.update(self.retries)
        self.retries = {}
        return tool_defs

    async def before_tool_validate(self, ctx: RunContext[Any], **given: Any) -> Any:
        """Give a tool the other calls of the answer, too."""
        if self.answers:
            ctx.messages[-1] = self.answers[0]
        return given["args"]

    async def before_tool_execute(self, ctx: RunContext[Any], **given: Any) -> dict[str, Any]:  # noqa: ARG002 - a hook
        """Prevent calls in a turn."""
        if not self.answers:
            raise CallDeferred
        args: dict[str, Any] = given["args"]
        return args

    async def wrap_tool_execute(self, ctx: RunContext[Any], *, handler: Any, **given: Any) -> Any:  # noqa: ARG002 - a hook
        """Take what a tool gives as storable text, and its exit for a failure: pydantic-ai runs it in its own task."""
        try:
            return storable_in(await handler(given["args"]))
        except (SystemExit, KeyboardInterrupt) as error:
            raise CutShortError(error) from error

    async def wrap_output_process(self, ctx: RunContext[Any], *, output: Any, handler: Any, **_: Any) -> Any:
        """Tell the model of an output that the job's result cannot hold, such as NaN."""
        made = await handler(output)
        if ctx.partial_output or isinstance(made, str):
            return made
        try:
            plain(to_jsonable_python(made), "the output")
        except Unrecordable as error:
            raise ModelRetry(str(error)) from error
        except Exception:  # noqa: BLE001 - what is no data at all is the agent's own fault, and fails its job later
            return made
        return made


class Stop(AbstractCapability[Any]):
    """Stops a piece at the calls that no capability of the agent has handled: it is asked last."""

    async def handle_deferred_tool_calls(self, ctx: RunContext[Any], *, requests: DeferredToolRequests) -> None:  # noqa: ARG002 - a hook
        """Stop at unhandled calls: their results come in another piece of work."""
        raise StoppedError(requests)


class StoppingPiece(Stop, Piece):
    """Both in one, which saves time: for an agent none of whose capabilities handles such calls."""


def storable_in(value: Any, depth: int = 0) -> Any:
    """Return the value with storable texts, in lists, objects and fields, too; others are left to pydantic-ai."""
    if isinstance(value, str):
        return value if value.isascii() or type(value) is not str else storable(value)
    if depth > _DEPTH:
        return value
    if type(value) in (list, tuple):
        return type(value)(storable_in(item, depth + 1) for item in value)
    if type(value) is dict:
        return {storable_in(name, depth): storable_in(item, depth + 1) for name, item in value.items()}
    if isinstance(value, ToolReturn):
        content = storable_in(value.content, depth + 1)
        return replace(value, return_value=storable_in(value.return_value, depth + 1), content=content)
    return _with_fields(value, depth)


def _with_fields(value: Any, depth: int) -> Any:
    """Return the value as it is, or a model's or dataclass's data where a text inside is not storable."""
    is_own = isinstance(value, BaseModel) or is_dataclass(value)
    if not is_own or type(value).__module__.startswith("pydantic_ai."):
        return value
    try:
        made = to_jsonable_python(value, bytes_mode="base64")
    except Exception:  # noqa: BLE001 - pydantic-ai says what is wrong with it
        return value
    cleaned = storable_in(made, depth + 1)
    return value if cleaned == made else cleaned


def may_do(agent: Agent[Any, Any], hook: str) -> bool:
    """Return whether a capability of the agent has that hook, or may become one that has it for a run."""
    return _has_any(agent.root_capability, (hook, "for_run"))


def _has_any(root: AbstractCapability[Any], hooks: Sequence[str]) -> bool:
    kinds = {type(one) for one in parts(root) if not isinstance(one, _HANDING_ON)}
    return any(getattr(kind, name) is not getattr(AbstractCapability, name) for kind in kinds for name in hooks)


async def _begun(_: RunContext[Any]) -> None:
    """Do nothing: the run has begun in another piece."""
