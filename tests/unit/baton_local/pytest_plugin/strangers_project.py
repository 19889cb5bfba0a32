"""A project of somebody else, who has installed Baton and uses its fixtures: files in a folder, run by pytest."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

_LIMIT_SECONDS = 600
# What else is installed here, by the names under which pytest finds it: none of it is the stranger's.
_OTHER_PLUGINS = ("asyncio", "anyio", "hypothesispytest", "langsmith_plugin", "respx")


class StrangersProject:
    """Tests in a folder; nothing of this repository is named in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.interpreter = [sys.executable]
        (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(dedent(text), encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_SECONDS,
        )

    def passes(self, count: int) -> None:
        done = self.run()
        assert f"{count} passed" in done.stdout, done.stdout + done.stderr

    def command(self, *arguments: str) -> list[str]:
        """The command line; what the run leaves behind stays in the folder."""
        where = ("-p", "no:cacheprovider", "--basetemp", str(self.folder / "temporary"))
        without = (part for name in _OTHER_PLUGINS for part in ("-p", f"no:{name}"))
        return [*self.interpreter, "-m", "pytest", "-q", *where, *without, *arguments]
