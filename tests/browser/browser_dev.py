"""`baton dev` whose queue also takes fault plans: `python -m tests.browser.browser_dev DIR AGENTS`."""

import sys
from dataclasses import replace
from pathlib import Path

from baton_local.cli.interruption import run_until_interrupted
from baton_local.dev.part import Part
from baton_local.dev.parts import StackOptions, StackPlan, stack_parts
from tests.e2e.fault_dev import running


def parts(plan: StackPlan) -> tuple[Part, ...]:
    return tuple(
        replace(part, command=(*part.command, "--faults")) if part.name == "qstash" else part
        for part in stack_parts(plan)
    )


if __name__ == "__main__":
    options = StackOptions(folder=Path(sys.argv[1]), app=sys.argv[2], port=0, parts_of=parts)
    sys.exit(run_until_interrupted(running(options), lambda: None, 0))
