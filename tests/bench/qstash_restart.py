"""How long the local QStash takes to be ready again with many waiting messages, after it was killed.

    python -m tests.bench.qstash_restart [--messages 100000] [--rounds 3]

Not a test. `ready` is from the start of the process until it says that it listens; `load` is what of it the empty
server does not take.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.contract.qstash.kill_backlog import client_of, fill, unfinished
from tests.unit.baton_local.qstash.server_process import ServerProcess

_NOWHERE = "http://127.0.0.1:9/"


def seconds_to_start(folder: Path, expected: int) -> float:
    """From the start of the process to its banner; then it is killed again."""
    started = time.perf_counter()
    with ServerProcess(folder) as server:
        took = time.perf_counter() - started
        with client_of(server.url) as client:
            found = unfinished(client)
    if found != expected:
        raise RuntimeError(f"{found} of {expected} messages are there after a restart")
    return took


def main() -> None:
    """Fill, kill, start again."""
    parser = argparse.ArgumentParser(description="the restart of the local QStash with many waiting messages")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as full:
        began = time.perf_counter()
        with ServerProcess(Path(full)) as server, client_of(server.url) as client:
            fill(client, _NOWHERE, options.messages, held=0)
            server.kill()
        filled = time.perf_counter() - began
        rounds = range(options.rounds)
        idle = median(seconds_to_start(Path(empty), 0) for _ in rounds)
        ready = median(seconds_to_start(Path(full), options.messages) for _ in rounds)
    sys.stdout.write(
        f"{options.messages} messages: published in {filled:.2f} s; ready {ready:.2f} s after a kill, "
        f"of which load {ready - idle:.2f} s (median of {options.rounds})\n"
    )


if __name__ == "__main__":
    main()
