"""How the SDK is told a message's flow control; what it has no argument for is told by headers (qstash.md 4, 18)."""

from collections.abc import Mapping

from qstash.message import FlowControl

from baton.ports import Flow


def flow_control(flow: Flow) -> FlowControl | None:
    """As the SDK takes it; None: there is no limit."""
    return FlowControl(key=flow.key, parallelism=flow.parallelism) if flow.key else None


def callback_flow_headers(flow: Flow) -> Mapping[str, str]:
    """The same of a message's failure callback."""
    if not flow.key:
        return {}
    prefix = "Upstash-Failure-Callback-Flow-Control"
    return {f"{prefix}-Key": flow.key, f"{prefix}-Value": f"parallelism={flow.parallelism}"}
