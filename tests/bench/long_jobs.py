"""What a step costs at the end of a long job, to what it costs at its beginning, on the local stack.

    python -m tests.bench.long_jobs [--length 1000] [--width 500]

Not a test. Four jobs: `--length` tool calls one after another with a model that does not read what was said before,
the same with one that reads all of it in every turn, and with one whose agent sums it up; and `--width` tool calls at
once. Per step of the first fifty and
of the last fifty: time, Redis requests and commands (calls inside scripts included), messages, bytes to and from Redis.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.e2e.dev_stack import stacks
from tests.e2e.long_agents import FAN_OUT, SEQUENTIAL
from tests.e2e.long_run import Comparison, LongRun, Window


def row(window: Window) -> list[float]:
    cost = window.cost
    totals = (window.seconds * 1000, cost.requests, cost.commands, cost.messages, cost.size_bytes)
    return [total / window.steps for total in totals]


def table(name: str, compared: Comparison) -> str:
    ended = compared.ended
    if ended["status"] != "completed":
        raise RuntimeError(f"{name}: {ended['status']}: {ended['error']}")
    first, last = row(compared.first), row(compared.last)
    ratio = [end / begin if begin else 0.0 for begin, end in zip(first, last, strict=True)]
    lines = [f"{name}: {len(ended['toolCalls'])} tool calls, {ended['turns']} turns, {ended['status']}"]
    lines.append(f"  {'per step':<12}{'ms':>10}{'requests':>10}{'commands':>10}{'messages':>10}{'bytes':>12}")
    for title, counters in (("first fifty", first), ("last fifty", last), ("ratio", ratio)):
        *most, size = counters
        lines.append(f"  {title:<12}" + "".join(f"{counter:>10.2f}" for counter in most) + f"{size:>12.2f}")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="the cost of a step at the beginning and at the end of a long job")
    parser.add_argument("--length", type=int, choices=SEQUENTIAL, default=1000)
    parser.add_argument("--width", type=int, choices=[width for width in FAN_OUT if width >= 100], default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stacks(Path(folder)) as make:
        run = LongRun(make("long_agents", CONTINUATION="queue").start())
        sys.stdout.write(table("sequential", run.sequential(options.length)))
        sys.stdout.write(table("sequential, all read in every turn", run.sequential(options.length, "reads")))
        sys.stdout.write(table("sequential, summed up", run.sequential(options.length, "sums")))
        sys.stdout.write(table("at once", run.fan_out(options.width)))


if __name__ == "__main__":
    main()
