"""What a function's start costs: imports and memory of each one, beside the libraries alone that it must have.

python -m tests.bench.startup: each case in fresh interpreters, turn by turn; the best of each, and its ratio to the
bare libraries. Bytecode is compiled before, as the bundle has it.
"""

import argparse
import json
import subprocess
import sys
from typing import Any

BARE = """
from starlette.applications import Starlette
from starlette.routing import Route
from mangum import Mangum
import httpx
from qstash import AsyncQStash, Receiver
from upstash_redis.asyncio import Redis
from pydantic import BaseModel, TypeAdapter
"""
BASE = "the bare libraries"
CASES = {
    BASE: BARE,
    "agent_loop": "import functions.webhooks.agent_loop",
    "tool_executor": "import functions.webhooks.tool_executor",
    "tool_result_complete": "import functions.webhooks.tool_result_complete",
    "tool_result_failed": "import functions.webhooks.tool_result_failed",
    "delivery_failed": "import functions.webhooks.delivery_failed",
    "sweep": "import functions.webhooks.sweep",
    "app (api, console, webhooks)": "import functions.app",
    "events (to emit only)": "import events.emitter",
}
_BEGIN = "import time; began = time.process_time()\n"
_END = """
import sys
took = time.process_time() - began
kib = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS"))
print(int(took * 1e6), kib, len(sys.modules))
"""


def _once(code: str) -> tuple[int, int, int]:
    done = subprocess.run([sys.executable, "-c", _BEGIN + code + _END], check=True, capture_output=True, text=True)
    took_us, kib, modules = map(int, done.stdout.split()[-3:])
    return took_us, kib, modules


def measured(repeats: int) -> list[dict[str, Any]]:
    """Each case, in turns, so that a busy moment is everybody's."""
    for code in CASES.values():
        _once(code)  # writes bytecode
    found: dict[str, list[tuple[int, int, int]]] = {name: [] for name in CASES}
    for _ in range(repeats):
        for name, code in CASES.items():
            found[name].append(_once(code))
    best = {name: min(rows) for name, rows in found.items()}
    base = best[BASE]
    return [
        {
            "test": "startup",
            "case": name,
            "import_ms": round(took_us / 1000, 1),
            "ratio": round(took_us / base[0], 2),
            "memory_mb": round(kib / 1024, 1),
            "memory_ratio": round(kib / base[1], 2),
            "modules": modules,
        }
        for name, (took_us, kib, modules) in best.items()
    ]


def costliest(module: str, shown: int) -> list[str]:
    """Our own modules, and others, by what each alone takes to import."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()
    rows = [line.removeprefix("import time:").split("|") for line in told if line.startswith("import time:")]
    alone = [(int(own), name.strip()) for own, _below, name in rows if own.strip().isdigit()]
    return [f"{own / 1000:8.1f} ms  {name}" for own, name in sorted(alone, reverse=True)[:shown]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--costliest", metavar="MODULE", help="instead: what importing it alone consists of")
    chosen = parser.parse_args()
    if chosen.costliest:
        sys.stdout.write("\n".join(costliest(chosen.costliest, 40)) + "\n")
    else:
        for found in measured(chosen.repeats):
            sys.stdout.write(json.dumps(found) + "\n")
