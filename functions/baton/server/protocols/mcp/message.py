"""Answers of MCP as messages of JSON-RPC."""

from importlib.metadata import version
from typing import Any

from baton.sdk.distribution import DISTRIBUTION
from baton.server.protocols.mcp.body import Call, RpcError

Part = dict[str, Any]
SERVER_INFO = {"name": "baton", "title": "Baton", "version": version(DISTRIBUTION)}


def done(call: Call, result: Part) -> Part:
    """Build the response to a call; in revision 2026-07-28 a result names its kind and its server."""
    if call.modern:
        meta = {"io.modelcontextprotocol/serverInfo": SERVER_INFO} | result.get("_meta", {})
        result = {"resultType": "complete"} | result | {"_meta": meta}
    return {"jsonrpc": "2.0", "id": call.id, "result": result}


def failed(request_id: str | int | None, error: RpcError) -> Part:
    """Build the error response to a request; without an id if the request has none that can be read."""
    return {"jsonrpc": "2.0"} | ({} if request_id is None else {"id": request_id}) | {"error": error.value}
