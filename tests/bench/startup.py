"""What a function's start costs: imports and memory of each one, beside the libraries alone that it must have.

python -m tests.bench.startup: each case in fresh interpreters, turn by turn; the best of each, and its ratio to the
bare libraries. As in a bundle, bytecode is compiled before, and nothing is there but what production needs. Pydantic's
search for plugins is left out: it reads what is installed, of which there is four times as much here.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.architecture.test_importing import NO_PLUGINS, not_in_production

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
    "agent_loop, as all webhooks": "import baton.worker.handlers.agent_loop",
    "app (api, console, webhooks)": "import baton.server.app",
    "events (to emit only)": "import baton_events.emitter",
}
_ROOT = Path(__file__).parents[2]
_BEGIN = f"""
import sys, time
from tests.architecture.import_probe import NotInstalled
sys.meta_path.insert(0, NotInstalled({not_in_production()!r}))
began = time.process_time()
"""
_END = """
took = time.process_time() - began
kib = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS"))
print(int(took * 1e6), kib, len(sys.modules))
"""


def _once(code: str, bytecode: str) -> tuple[int, int, int]:
    # An environment of its own: one that forbids bytecode would have each start compile ours, and not the libraries'.
    environment = {**NO_PLUGINS, "PYTHONPATH": str(_ROOT), "PYTHONPYCACHEPREFIX": bytecode}
    command = [sys.executable, "-c", _BEGIN + code + _END]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    took_us, kib, modules = map(int, done.stdout.split()[-3:])
    return took_us, kib, modules


def measured(repeats: int) -> list[dict[str, Any]]:
    """Each case, in turns, so that a busy moment is everybody's."""
    found: dict[str, list[tuple[int, int, int]]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as bytecode:
        for code in CASES.values():
            _once(code, bytecode)
        for _ in range(repeats):
            for name, code in CASES.items():
                found[name].append(_once(code, bytecode))
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
    found = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()
    rows = [line.removeprefix("import time:").split("|") for line in found if line.startswith("import time:")]
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
