"""`baton init NAME`: a project of one's own, with an agent, a tool and tests, which runs at once.

Invariant: nothing that is there is written over.
"""

import json
import re
from importlib.metadata import distribution
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

import click

from baton.distribution import DISTRIBUTION

_NAME = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")
_SUFFIX = ".tmpl"


@click.command()
@click.argument("folder", metavar="NAME", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Make a project with an agent, a tool and tests, in a new folder NAME."""
    name = folder.name
    if not _NAME.fullmatch(name):
        raise click.BadParameter(
            f"{name!r}: write small letters, digits and hyphens, as in my-agents", param_hint="NAME"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.BadParameter(f"{folder} exists and is not empty: choose another name", param_hint="NAME")
    template = files("baton_local") / "project"
    values = {
        "name": name,
        "requirement": _requirement(),
        "requirement_local": _requirement("local"),
        "requirement_models": _requirement("models"),
    }
    for place in _written(template, folder, values):
        click.echo(f"  {place}")
    click.echo(f"\nNext: cd {folder}, then make demo, make test, make dev")


def _requirement(extra: str = "") -> str:
    """What installs the same Baton again: from where this one was installed, or by its version."""
    installed, extras = distribution(DISTRIBUTION), f"[{extra}]" if extra else ""
    url = json.loads(installed.read_text("direct_url.json") or "{}").get("url")
    return f"{DISTRIBUTION}{extras} @ {url}" if url else f"{DISTRIBUTION}{extras}>={installed.version}"


def _written(source: Traversable, target: Path, values: dict[str, str]) -> list[Path]:
    """Write a folder's files with these values; what was written."""
    written: list[Path] = []
    target.mkdir(parents=True, exist_ok=True)
    for each in sorted(source.iterdir(), key=lambda one: one.name):
        if each.is_dir():
            written += _written(each, target / each.name, values)
        elif each.name.endswith(_SUFFIX):
            path = target / {"gitignore": ".gitignore"}.get(name := each.name.removesuffix(_SUFFIX), name)
            path.write_text(Template(each.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
            written.append(path)
    return written
