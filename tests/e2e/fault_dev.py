"""`baton dev` with two switches that only tests need: `python -m tests.e2e.fault_dev --data DIR --time-scale N`.

The parts, their settings and their supervisor are those of `baton dev`; the bridge also takes fault plans, and delays
of the queue pass N times faster, so that what waits a minute by its nature (a backup message) needs seconds in a test.
Must not change anything else: what these tests show is meant to hold for `baton dev`.
"""

import argparse
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from baton_local.cli.dev import PlainScreen
from baton_local.cli.interruption import Interruption, run_until_interrupted
from baton_local.dev.part import Part
from baton_local.dev.parts import PartsOf, StackOptions, StackPlan, stack_parts
from baton_local.dev.stack import LocalStack
from baton_local.dev.stack_error import StackError


def fault_parts(time_scale: float) -> PartsOf:
    switches = {"redis_rest": ("--faults",), "qstash": ("--time-scale", str(time_scale))}

    def parts(plan: StackPlan) -> tuple[Part, ...]:
        return tuple(replace(part, command=(*part.command, *switches.get(part.name, ()))) for part in stack_parts(plan))

    return parts


def main(arguments: list[str]) -> int:
    """Run until a signal (0), or until a part is given up (1)."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.fault_dev", description="A stack that can be hurt.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--app", required=True)
    parser.add_argument("--time-scale", type=float, default=1.0)
    options = parser.parse_args(arguments)
    stack_options = StackOptions(folder=options.data, app=options.app, port=0, parts_of=fault_parts(options.time_scale))
    try:
        return run_until_interrupted(running(stack_options), lambda: None, 0)
    except StackError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


def running(options: StackOptions) -> Callable[[Interruption], Coroutine[Any, Any, int]]:

    async def run(interruption: Interruption) -> int:
        stack = LocalStack(options, PlainScreen())
        interruption.at_once = stack.kill
        async with stack.running():
            await stack.until_broken()
        return 0

    return run


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
