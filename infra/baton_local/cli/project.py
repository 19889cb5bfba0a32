"""`baton init NAME`: a project of one's own, which runs at once; `baton package`: its archives for AWS Lambda.

Invariant: `init` writes over nothing that is there.
"""

import json
import re
from collections.abc import Collection
from importlib.metadata import distribution
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

import click

from baton.sdk.distribution import DISTRIBUTION
from baton_local.bundle.bundling import (
    BUNDLES,
    LOCAL_DISTRIBUTION,
    PLATFORMS,
    PYTHON_VERSION,
    UNPACKED_LIMIT_BYTES,
    Archive,
    Bundling,
    Ingredients,
)

_NAME = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")
_SUFFIX = ".tmpl"
_CALL = 'Call("share_of", {"percent": 19, "amount": 240})'
_SCRIPT = 'Call("run_code", {"code": "await share_of(19, 240)"})'
_LIBRARIES = {"langgraph": "langgraph", "openai": "openai-agents"}  # the extra of each
_EXTRAS = ("otel", "sentry", "vector")


@click.command()
@click.argument("folder", metavar="NAME", type=click.Path(path_type=Path))
@click.option("--workflow", is_flag=True, help="With a workflow, too: ordinary Python whose awaits are steps of a job.")
@click.option("--code-mode", is_flag=True, help="The agent's model writes scripts over its tools.")
@click.option(
    "--langgraph", "libraries", flag_value="langgraph", multiple=True, help="With an agent of LangGraph, too."
)
@click.option("--openai", "libraries", flag_value="openai", multiple=True, help="With one of OpenAI's Agents SDK, too.")
def init(folder: Path, libraries: tuple[str, ...], *, workflow: bool, code_mode: bool) -> None:
    """Make a project with an agent, a tool and tests, in a new folder NAME."""
    name = folder.resolve().name
    if not _NAME.fullmatch(name):
        raise click.BadParameter(
            f"{name!r} is no name: it takes small letters, digits and hyphens, as in my-agents", param_hint="NAME"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.BadParameter(f"{folder} exists and is not empty: choose another name", param_hint="NAME")
    template = files("baton_local") / "project"
    values = {
        "name": name,
        "requirement": _requirement(
            DISTRIBUTION, ",".join(["code-mode"] * code_mode + [_LIBRARIES[one] for one in libraries])
        ),
        "requirement_local": _requirement(LOCAL_DISTRIBUTION),
        **{
            f"requirement_{extra}": _requirement(DISTRIBUTION, extra)
            for extra in ("site", "server", "models", *_EXTRAS)
        },
        "call": _SCRIPT if code_mode else _CALL,
        "code_mode": "\n    code_mode=True," if code_mode else "",
        "flows": ("from functions.flows import fulfil\n" if workflow else "")
        + "".join(f"from functions.{one}_clerk import {one}_clerk\n" for one in libraries),
        "flows_row": ("| `functions/flows.py` | the workflows |\n" if workflow else "")
        + "".join(f"| `functions/{one}_clerk.py` | an agent of another library |\n" for one in libraries),
        "agents": "".join(f", {one}_clerk" for one in libraries),
        "workflows": ", workflows=[fulfil]" if workflow else "",
    }
    left_out = [f"{one}_clerk.py" for one in _LIBRARIES if one not in libraries]
    left_out += [] if workflow else ["flows.py", "test_flows.py"]
    for place in _written(template, folder, values, left_out):
        click.echo(f"  {place}")
    click.echo(f"\nNext: cd {folder}, then make demo, make test, make dev")


def _requirement(name: str, extra: str = "") -> str:
    """Return what installs the same distribution again: from where this one was installed, or by its version."""
    installed, wanted = distribution(name), f"{name}[{extra}]" if extra else name
    url = json.loads(installed.read_text("direct_url.json") or "{}").get("url")
    return f"{wanted} @ {url}" if url else f"{wanted}>={installed.version}"


def _written(source: Traversable, target: Path, values: dict[str, str], left_out: Collection[str]) -> list[Path]:
    """Write a folder's files with these values, but for those left out; return what was written."""
    written: list[Path] = []
    target.mkdir(parents=True, exist_ok=True)
    for each in sorted(source.iterdir(), key=lambda one: one.name):
        if each.is_dir():
            written += _written(each, target / each.name, values, left_out)
        elif each.name.endswith(_SUFFIX) and (name := each.name.removesuffix(_SUFFIX)) not in left_out:
            path = target / (f".{name}" if name.endswith("ignore") else name)
            path.write_text(Template(each.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
            written.append(path)
    return written


_FOR = {"baton": "every function but agent-loop", "baton-models": "agent-loop, which calls models"}


@click.command()
@click.option("--platform", type=click.Choice(list(PLATFORMS)), default="arm64", show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("dist"),
    show_default=True,
    help="Where the archives go.",
)
@click.option(
    "--app",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Another folder that your agents' package is in; libraries that it needs are named in its requirements.txt.",
)
@click.option(
    "--extra", "extras", type=click.Choice(_EXTRAS), multiple=True, help="Traces, error reports, long-term memory."
)
def package(platform: str, out: Path, app: Path | None, extras: tuple[str, ...]) -> None:
    """Make the archives that are deployed, of the project in this folder, without Docker.

    Their libraries are those of its uv.lock, or of its pyproject.toml where it has no lock file.
    """
    bundling = Bundling(Path.cwd())
    source = "uv.lock" if bundling.are_locked else "pyproject.toml, the newest of today; `uv lock` keeps them"
    print(f"Bundles for AWS Lambda (Python {PYTHON_VERSION}, {platform}), libraries from {source}", flush=True)
    for name in BUNDLES:
        _show(bundling.make(name, Ingredients(platform, extras, app), out), _FOR[name])
    print("\nNext: npx osls deploy --stage dev")


def _show(made: Archive, what_for: str) -> None:
    share = 100 * made.unpacked_bytes / UNPACKED_LIMIT_BYTES
    print(f"\n{made.path}: {what_for}")
    print(f"  {_mb(made.packed_bytes)} packed, {_mb(made.unpacked_bytes)} unpacked ({share:.0f} % of Lambda's limit)")
    print(f"  sha256 {made.digest}", flush=True)


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f} MB"
