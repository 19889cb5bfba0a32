"""`baton fork` and `baton diff`: a job asked anew from one of its turns on, and two jobs turn by turn."""

from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from baton.client.requests import in_path
from baton_local.cli.deployment import Deployment, with_deployment
from baton_local.cli.job_events import compact
from baton_local.cli.jobs import as_json, object_in, print_json

_STYLES = {"same": "dim", "changed": "yellow", "added": "green", "removed": "red"}
_WIDEST = 200


@click.command()
@with_deployment
@click.argument("job_id", metavar="JOB")
@click.option("--turn", type=click.IntRange(1), required=True, metavar="N", help="The first turn that is asked anew.")
@click.option("--edits", metavar="JSON|@FILE", help='The differences, such as {"instructions": "Be brief."}.')
@click.option(
    "--tools",
    type=click.Choice(["recorded", "again"]),
    default="recorded",
    show_default=True,
    help="Whether later calls get what the same recorded call gave (others ask for approval), or run.",
)
@click.option("--idempotency-key", default="", metavar="KEY", help="A repeat with the same key is the same fork.")
@as_json
def fork(
    deployment: Deployment,
    job_id: str,
    *,
    turn: int,
    edits: str | None,
    tools: str,
    idempotency_key: str,
    shows_json: bool,
) -> None:
    """Fork an ended job from a turn on, as a job of its own, with edits; print its id.

    The turns before are taken over. EDITS may have taskDescription, instructions, model, and by the ids of calls
    toolResults and arguments.
    """
    body = {"turn": turn, "toolsRun": tools} | ({"edits": object_in(edits, "--edits")} if edits else {})
    path = f"/api/agent-jobs/{in_path(job_id)}/fork"
    forked = deployment.request("POST", path, body, key=idempotency_key)
    if shows_json:
        print_json(forked)
    else:
        print(forked["id"])


@click.command()
@with_deployment
@click.argument("job_id", metavar="JOB")
@click.argument("other_id", metavar="OTHER")
@as_json
def diff(deployment: Deployment, job_id: str, other_id: str, *, shows_json: bool) -> None:
    """Compare two jobs turn by turn: what was said, which tools were called, and what they gave."""
    found = deployment.get(f"/api/agent-jobs/{in_path(job_id)}/diff/{in_path(other_id)}")
    if shows_json:
        print_json(found)
        return
    with Console() as console:
        for line, style in diff_lines(found):
            console.print(Text(line, style=style), no_wrap=True, overflow="ellipsis")


def diff_lines(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the comparison as lines, each with its style."""
    for mark, job in (("-", found["left"]), ("+", found["right"])):
        cost = f"${job['cost']['totalUsd']:.6f}"
        yield f"{mark} {job['id']}  {job['status']}, {job['turns']} turns, {cost}", "bold"
    for turn in found["turns"]:
        left, right = (list(_turn_lines(turn[side])) for side in ("left", "right"))
        yield f"turn {turn['turn']}: {turn['change']}", _STYLES[turn["change"]]
        yield from _lines(left, right)
    ends = [list(_end_lines(found[side])) for side in ("left", "right")]
    yield f"end: {'same' if ends[0] == ends[1] else 'changed'}", _STYLES["same" if ends[0] == ends[1] else "changed"]
    yield from _lines(*ends)


def _lines(left: list[str], right: list[str]) -> Iterator[tuple[str, str]]:
    if left == right:
        yield from ((f"    {line}", "dim") for line in left)
        return
    yield from ((f"  - {line}", "red") for line in left)
    yield from ((f"  + {line}", "green") for line in right)


def _turn_lines(turn: dict[str, Any] | None) -> Iterator[str]:
    if turn is None:
        return
    if turn["text"]:
        yield _one_line(turn["text"])
    for call in turn["calls"]:
        given = call["error"]["message"] if "error" in call else call.get("result", call.get("resultRef", "-"))
        yield _one_line(f"{call['tool']} {compact(call['arguments'])} → {compact(given)}")


def _end_lines(job: dict[str, Any]) -> Iterator[str]:
    if job["error"]:
        yield _one_line(f"{job['error']['type']}: {job['error']['message']}")
    elif job["result"] is not None:
        yield _one_line(compact(job["result"].get("answer", job["result"])))


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else f"{line[:_WIDEST]} …"
