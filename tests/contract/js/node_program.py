"""Node.js and the SDKs, ready to run. Must not be imported by anything but the JavaScript tests."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.npm_packages import find_node, npm_packages

HERE = Path(__file__).parent
_RUN_LIMIT_SECONDS = 300


@dataclass(frozen=True)
class NodeProgram:
    node: str
    sdks: Path

    def run(self, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
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
        for source in [*HERE.glob("*.mjs"), HERE / "package.json"]:
            shutil.copy(source, folder)
        (folder / "node_modules").symlink_to(self.sdks / "node_modules")


def node_program() -> NodeProgram:
    """Find node and install the SDKs, if they are not yet.

    Raises:
        JavaScriptMissingError: one of them cannot be had.
    """
    return NodeProgram(find_node()[0], npm_packages(HERE, "js-sdks"))
