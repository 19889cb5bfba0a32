"""How a block may be treated: run, written to a file, compared, or left alone for one of a few reasons.

Invariant: every block of a page has exactly one way, and what is not run says why, by one of REASONS or by the test
that runs the same (`proved-by=FILE::TEST`). In what is printed `…` stands for anything: within a text for any
characters, as a JSON string for any value; a JSON object may have more fields than the page shows. The commands of a
block that is not run exist, with their options: `baton` is asked by the parser of the command itself.
"""

import json
import re
import shlex
import subprocess
from typing import Any

import click

from baton_local.cli.main import main
from tests.docs.fence import CTRL_C, ROOT, Fence

ANYTHING = "…"

# Why a block may not be run. Its `baton` and `make` commands must exist with these options all the same.
REASONS = {
    "needs-an-aws-account": "it changes an account of AWS",
    "needs-docker": "it needs Docker, or an account of another cloud",
    "needs-the-network": "it downloads something",
    "takes-minutes": "it runs everything",
}
RUN = {"bash", "python"}
DATA = {"json", "toml"}
WRITTEN = {"js", "html", "ini"}
SHOWN = {"text", "mermaid"}
FOREIGN = {"ts", "tsx"}  # of a reader's own project: never run here, so they need a reason
LANGUAGES = RUN | DATA | WRITTEN | SHOWN | FOREIGN
WORDS = {"background", "output", "fails"}
OPTIONS = {"file", "no-run", "proved-by"}
COMMAND = re.compile(r"^(\$ |(baton|make|curl|pip|python3?|uv|npm|git|cd|export) )", re.MULTILINE)


def excused(fence: Fence) -> bool:
    return fence.option("no-run") is not None or fence.option("proved-by") is not None


def faults_of(fence: Fence) -> list[str]:
    if fence.language == CTRL_C:
        return []
    found = [_language_fault(fence), _words_fault(fence), _reason_fault(fence), _proof_fault(fence), _way_fault(fence)]
    return [f"{fence.place}: {fault}" for fault in found if fault]


def _language_fault(fence: Fence) -> str:
    if fence.language in LANGUAGES:
        return ""
    return f"language {fence.language!r} is none of {', '.join(sorted(LANGUAGES))}"


def _words_fault(fence: Fence) -> str:
    unknown = [word for word in fence.words if word not in WORDS and word.partition("=")[0] not in OPTIONS]
    return f"{' '.join(unknown)} means nothing here" if unknown else ""


def _reason_fault(fence: Fence) -> str:
    reason = fence.option("no-run")
    if reason is None or reason in REASONS:
        return ""
    return f"{reason!r} is no reason; there are {', '.join(REASONS)}"


def _proof_fault(fence: Fence) -> str:
    proof = fence.option("proved-by")
    if proof is None:
        return ""
    file, _, test = proof.partition("::")
    path = ROOT / file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    exists = re.search(rf"^(async )?def {re.escape(test)}\(", text, re.MULTILINE)
    return "" if exists else f"there is no test {proof!r}"


def _way_fault(fence: Fence) -> str:
    if fence.language in FOREIGN and not excused(fence):
        return "it is not run: say why with no-run= or proved-by="
    if fence.language in WRITTEN and not excused(fence) and fence.option("file") is None:
        return "say with file= where it is written to, or why it is not run"
    if fence.has("output") and not fence.text.strip(f"{ANYTHING}\n "):
        return "it fits whatever is printed: show some of it"
    if fence.language == "text" and not fence.has("output") and COMMAND.search(fence.text):
        return "a command in a text block is not run: make it bash"
    return ""


def text_matches(shown: str, printed: str) -> bool:
    pattern = ".*?".join(re.escape(part) for part in shown.strip().split(ANYTHING))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def json_matches(shown: str, printed: str) -> bool:
    try:
        return _fits(json.loads(shown), json.loads(printed))
    except ValueError:
        return False


def _fits(shown: Any, printed: Any) -> bool:
    if shown == ANYTHING:
        return True
    match shown, printed:
        case dict(), dict():
            return all(name in printed and _fits(value, printed[name]) for name, value in shown.items())
        case list(), list():
            return len(shown) == len(printed) and all(map(_fits, shown, printed))
        case str(), str():
            return text_matches(shown, printed)
    return bool(shown == printed)


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
