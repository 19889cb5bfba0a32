"""A version that is newer than this code by one artificial change: a field more in jobs and in events.

Invariant: the change is made as tests/upgrade/README.md has it: the field has a default that means "as before".
"""

import re
import shutil
from pathlib import Path

from tests.e2e.dev_stack import ROOT

FIELD = "colour"
_MORE = f'    {FIELD}: str = "red"\n'
# Made anew each time, so that it is written in each record, as no default is.
_MORE_STORED = f'    {FIELD}: str = field(default_factory=lambda: "red")\n'
_STATE, _SCHEMA = "functions/baton/engine/state.py", "events/baton_events/schema.py"


def newer_version(folder: Path, *, raised: bool) -> Path:
    """Write it. `raised`: older code would misunderstand its jobs, so `STATE_VERSION` is raised."""
    for package in ("functions/baton", "events/baton_events"):
        shutil.copytree(ROOT / package, folder / package)
    _change(folder / _STATE, r"    version: int = field\(.*STATE_VERSION\).*\n", rf"\g<0>{_MORE_STORED}")
    for payload in ("command: ", "step: str "):
        _change(folder / _SCHEMA, rf"(    {payload}.*= None\n)(    spent|\n)", rf"\1{_MORE}\2")
    if raised:
        _change(folder / _STATE, r"STATE_VERSION = (\d+)", lambda found: f"STATE_VERSION = {int(found[1]) + 1}")
    return folder


def _change(path: Path, pattern: str, by: object) -> None:
    text, times = re.subn(pattern, by, path.read_text())  # type: ignore[call-overload]
    assert times == 1, f"{path}: {pattern!r} is there {times} times"
    path.write_text(text)
