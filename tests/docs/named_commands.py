"""Whether the commands of a block that is not run exist: its `baton` and `make` lines, with their options.

`baton` is asked by the parser of the command itself, so a renamed option is found without an account. What follows a
`#`, and continuation lines, are read as the shell would. Variables and placeholders are texts like any other.
"""

import re
import shlex
import subprocess

import click

from baton_local.cli.main import main
from tests.docs.fence import ROOT, Fence

_STARTS = re.compile(r"^(?:[A-Z_]+=\S* )*(?:\.venv/bin/)?(baton|make) ")


def faults_in(fence: Fence) -> list[str]:
    """What a reader who copies the block would be told by a parser."""
    done = subprocess.run(["bash", "-n"], input=fence.text, capture_output=True, text=True, check=False)
    found = [done.stderr.strip()] if done.returncode else []
    for line in fence.text.replace("\\\n", " ").splitlines():
        start = _STARTS.match(line.strip())
        if start is not None:
            words = shlex.split(line.strip()[start.end() :], comments=True)
            found.append(_baton_fault(words) if start[1] == "baton" else _make_fault(words))
    return [f"{fence.place}: {fault}" for fault in found if fault]


def _baton_fault(words: list[str]) -> str:
    command, context = main, click.Context(main, info_name="baton")
    try:
        while isinstance(command, click.Group):
            _, rest, _ = command.make_parser(context).parse_args(list(words))
            name, found, words = command.resolve_command(context, [*rest])
            assert found is not None
            command, context = found, click.Context(found, parent=context, info_name=name)  # type: ignore[assignment]  # a group's members may be groups
        command.make_parser(context).parse_args(list(words))
    except (click.UsageError, AssertionError) as error:
        return f"baton: {getattr(error, 'message', error)}"
    return ""


def _make_fault(words: list[str]) -> str:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    wrong = [word for word in words if "=" not in word and not word.startswith("-") and word not in targets]
    return f"make: there is no target {' '.join(wrong)}" if wrong else ""
