"""An MCP server that bakes: a call becomes a task, which may ask people, and ends when the test says so."""

from collections.abc import Sequence
from typing import Any, Literal

from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolRequestParams, RequestParams, Result

TASKS = "io.modelcontextprotocol/tasks"


class Handle(Result):
    result_type: Literal["task"] = "task"
    task_id: str
    status: str = "working"
    ttl_ms: int | None = None
    poll_interval_ms: int


class Task(Result):
    task_id: str
    status: str
    poll_interval_ms: int
    status_message: str | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    input_requests: dict[str, Any] | None = None


class OfTask(RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


class Bakery(Extension):
    """Tasks of the tool `bake`.

    `looks`: how often the tasks were looked at. `ends`: the fields of a task that is over, once it is. `asks`: what it
    asks people, by keys. `answered`: what they answered.
    """

    identifier = TASKS

    def __init__(self) -> None:
        self.baked = 0
        self.looks = 0
        self.interval_ms = 4_000
        self.ends: dict[str, Any] = {}
        self.asks: dict[str, Any] = {}
        self.answered: list[dict[str, Any]] = []

    def ends_with(self, text: str) -> None:
        result = {"content": [{"type": "text", "text": text}], "isError": False}
        self.ends = {"status": "completed", "result": result}

    async def intercept_tool_call(self, params: CallToolRequestParams, ctx: Any, call_next: Any) -> Any:
        if params.name != "bake":
            return await call_next(ctx)
        self.baked += 1
        return Handle(task_id=f"task-{self.baked}", poll_interval_ms=self.interval_ms)

    def methods(self) -> Sequence[MethodBinding]:
        return [MethodBinding("tasks/get", OfTask, self._get), MethodBinding("tasks/update", OfTask, self._update)]

    async def _get(self, _context: Any, params: OfTask) -> Task:
        self.looks += 1
        state: dict[str, Any] = self.ends or ({"input_requests": self.asks} if self.asks else {})
        status = "input_required" if self.asks and not self.ends else "working"
        named: dict[str, Any] = {"task_id": params.task_id, "poll_interval_ms": self.interval_ms, "status": status}
        return Task(**named | state)

    async def _update(self, _context: Any, params: OfTask) -> Result:
        self.answered.append(params.input_responses or {})
        self.asks = {key: one for key, one in self.asks.items() if key not in self.answered[-1]}
        return Result()


def bakery() -> tuple[MCPServer, Bakery]:
    tasks = Bakery()
    mcp = MCPServer("bakery", extensions=[tasks])

    @mcp.tool()
    def bake(bread: str) -> str:
        """Bake a loaf."""
        raise AssertionError(bread)

    return mcp, tasks


def asked(message: str, properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    params = {"mode": "form", "message": message, "requestedSchema": schema}
    return {"method": "elicitation/create", "params": params}
