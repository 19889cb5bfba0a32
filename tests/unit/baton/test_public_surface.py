"""What `from baton import …` gives, and what it costs."""

import subprocess
import sys

import baton

FORBIDDEN = {"starlette", "mangum", "httpx", "qstash", "upstash_redis", "aiohttp", "baton_local"}


def test_the_public_names_are_those_documented() -> None:
    """Users' code rests on them."""
    assert sorted(baton.__all__) == sorted(
        [
            *(
                "Agent",
                "Call",
                "CallLimit",
                "DropOldest",
                "Emitter",
                "Event",
                "HandlerContext",
                "JobInfo",
                "KeepAll",
                "LimitedCall",
                "Limits",
                "Memory",
                "Pending",
                "Registry",
            ),
            *("ScriptedModel", "as_tool", "emit", "on"),
            *("Step", "result_of", "task_data", "task_text", "Summarize", "ToolContext", "ToolError", "tool"),
            *(
                "check_operation_status",
                "operation_status",
                "recall",
                "remember",
                "sleep",
                "sleep_until",
                "wait_for_event",
            ),
        ]
    )
    assert all(getattr(baton, name) for name in baton.__all__)


def test_importing_the_surface_loads_no_web_framework_no_sdk_and_no_model() -> None:
    """The function that runs tools imports it too, and must stay light."""
    code = "import sys, baton; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = done.stdout.split()
    assert not FORBIDDEN & {name.split(".")[0] for name in loaded}
    assert "baton.models.demo.model" not in loaded
