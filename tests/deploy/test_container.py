"""The image of Dockerfile, as far as it can be made without Docker: its steps, its server, its health check."""

import fnmatch
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from baton_local.cli.project import init
from tests.deploy.bundles import ROOT

pytestmark = pytest.mark.e2e

MOST_INSTRUCTIONS, PATIENCE_SECONDS = 10, 60.0
SETTINGS = {
    "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9",  # the process is healthy, whatever is the matter with the store
    "UPSTASH_REDIS_REST_TOKEN": "t",
    "QSTASH_TOKEN": "t",
    "WORKER_BASE_URL": "https://agents.example.com",
}
# This machine's Python, cache and certificates; what makes an image small and quick is of no use here.
HERE = {
    "UV_PYTHON": sys.executable,
    "UV_CACHE_DIR": str(Path.home() / ".cache" / "uv"),
    "UV_SYSTEM_CERTS": "true",
    "UV_NO_CACHE": "false",
    "UV_COMPILE_BYTECODE": "false",
}


def instructions(folder: Path) -> list[tuple[str, str]]:
    lines = folder.joinpath("Dockerfile").read_text("utf-8").splitlines()
    return [(name, rest) for line in lines if not line.startswith("#") for name, _, rest in [line.partition(" ")]]


def command(text: str) -> list[str]:
    words: list[str] = json.loads(text.removeprefix("CMD "))
    return words


def ignored(context: Path, folder: str, names: list[str]) -> set[str]:
    """What .dockerignore leaves out of a folder: a pattern means the context's top, after `**/` any folder."""
    patterns = context.joinpath(".dockerignore").read_text("utf-8").split()
    meant = [each.removeprefix("**/") for each in patterns if each.startswith("**/") or folder == str(context)]
    return {name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in meant)}


class Image:
    """What would be in the image: a folder for each absolute path."""

    def __init__(self, context: Path, work: Path) -> None:
        self._context, self.app = context, work / "app"
        self._environment = {"PATH": f"{work}/python/bin:/usr/bin:/bin", "HOME": str(work)}
        self._steps = instructions(context)
        subprocess.run([sys.executable, "-m", "venv", str(work / "python")], check=True)

    def build(self) -> None:
        for name, rest in self._steps:
            if name == "ENV":
                self._environment |= self._variables(rest)
            elif name == "COPY":
                assert rest == ". ."
                shutil.copytree(self._context, self.app, ignore=partial(ignored, self._context))
            elif name == "RUN":
                words, cwd = command(rest), self.app if self.app.exists() else None
                done = subprocess.run(
                    words, cwd=cwd, env={**self._environment, **HERE}, capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, done.stderr

    def start(self, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command(self._last("CMD")), cwd=self.app, env={**self._environment, **settings})

    def is_healthy(self, settings: Mapping[str, str]) -> bool:
        words = command(self._last("HEALTHCHECK"))
        done = subprocess.run(words, env={**self._environment, **settings}, capture_output=True, check=False)
        return done.returncode == 0

    def _last(self, instruction: str) -> str:
        return [rest for name, rest in self._steps if name == instruction][-1]

    def _variables(self, rest: str) -> dict[str, str]:
        words = (word.partition("=") for word in rest.split())
        path = self._environment["PATH"]
        return {name: text.replace("/app", str(self.app)).replace("$PATH", path) for name, _, text in words}


def test_an_image_is_small_to_read_and_runs_as_nobody() -> None:
    """What its layers are made of belongs to root, and is not written to."""
    steps = instructions(ROOT)
    names = [name for name, _ in steps]
    assert len(steps) <= MOST_INSTRUCTIONS
    assert names[names.index("USER") :] == ["USER", "HEALTHCHECK", "CMD"]
    assert dict(steps)["USER"] == "nobody"


def test_neither_secrets_nor_jobs_come_into_an_image() -> None:
    """What this machine's files hold for the local stack stays here, and so does what only makes it large."""
    names = [".env", ".git", ".venv", ".baton", "tests", "functions", "uv.lock", "README.md"]
    assert ignored(ROOT, str(ROOT), names) == {".env", ".git", ".venv", ".baton", "tests"}
    assert ignored(ROOT, str(ROOT / "infra" / "baton_local" / "project"), ["tests", "__pycache__"]) == {"__pycache__"}


def own(_folder: Path) -> Path:
    return ROOT


def made(folder: Path) -> Path:
    done = CliRunner().invoke(init, [str(folder / "shop")])
    assert done.exit_code == 0, done.output
    return folder / "shop"


@pytest.mark.long
@pytest.mark.parametrize("context", [own, made])
def test_its_server_runs_and_its_health_check_knows(tmp_path: Path, context: Callable[[Path], Path]) -> None:
    image = Image(context(tmp_path), tmp_path)
    image.build()
    with socket.create_server(("127.0.0.1", 0)) as free:
        settings = {**SETTINGS, "PORT": str(free.getsockname()[1])}
    assert not image.is_healthy(settings)
    server = image.start(settings)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while not image.is_healthy(settings):
            assert server.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
    finally:
        server.terminate()
        server.wait(PATIENCE_SECONDS)
    assert not image.is_healthy(settings)
