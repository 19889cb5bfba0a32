"""What the peers need, installed once into the user's cache: an environment of pinned versions, and Restate's server.

Invariant: what cannot be had here leaves its rows out, with a word; Baton's own rows need nothing of it.
"""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "peers" / "requirements.txt"
RESTATE = "@restatedev/restate-server@1.7.12"


@dataclass(frozen=True, slots=True)
class Installed:
    """What is there. `python`: the peers' interpreter; None: not installed. `restate`: whether its server is."""

    python: Path | None
    npm: Path
    restate: bool


def installed() -> Installed:
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + RESTATE.encode()).hexdigest()[:16]
    folder = Path.home() / ".cache" / "baton" / f"bench-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    npm = folder / "npm"
    return Installed(_environment(folder), npm, _restate(npm))


def _environment(folder: Path) -> Path | None:
    python, ready = folder / "venv" / "bin" / "python", folder / "venv" / ".ready"
    if ready.exists():
        return python
    _print(f"installing the peers' libraries into {folder} ...")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = _done([sys.executable, "-m", "venv", str(folder / "venv")]) and _done([*pip, "-r", str(REQUIREMENTS)])
    if done:
        ready.touch()
    return python if done else None


def _restate(npm: Path) -> bool:
    if (npm / "node_modules" / "@restatedev" / "restate-server").exists():
        return True
    program = shutil.which("npm")
    if program is None:
        return False
    _print(f"installing Restate's server into {npm} ...")
    npm.mkdir(exist_ok=True)
    quiet = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
    return _done([program, "install", *quiet, "--prefix", str(npm), RESTATE])


def _done(command: list[str]) -> bool:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        _print(f"{' '.join(command[:4])} ... failed: {done.stderr.strip()[-500:]}")
    return done.returncode == 0


def _print(text: str) -> None:
    sys.stderr.write(f"{text}\n")
