"""`baton_events` alone: a program that only emits needs its wheel, pydantic and qstash."""

import asyncio
import json
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from baton.settings.settings import Settings
from tests.architecture.source_files import ROOT
from tests.contract.qstash.destination import Destination

EMITS = """
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])

class Installed:
    def find_spec(self, name, *_):
        known = name.partition(".")[0] in {*sys.stdlib_module_names, *json.loads(sys.argv[3])}
        if not known and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Installed())
from baton_events import Emitter
from baton_events.schema import parse_event

async def main():
    emitter = Emitter.from_settings()
    print(await emitter.emit(parse_event(sys.argv[2].encode())))
    await emitter.close()

asyncio.run(main())
"""
EVENT = {
    "id": "evt_1",
    "type": "agent.loop.init",
    "version": 1,
    "sessionId": "session_1",
    "jobId": "job_1",
    "createdAt": "2026-01-01T00:00:00.000Z",
    "payload": {"turn": 1, "attempt": 1},
}


def closure(*names: str) -> set[str]:
    found: set[str] = set()
    waiting = [*names]
    while waiting:
        name = _normal(waiting.pop())
        if name not in found:
            found.add(name)
            needed = [Requirement(text) for text in requires(name) or ()]
            waiting += [each.name for each in needed if not each.marker or each.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of `events/pyproject.toml`, built with the installed backend, and unpacked."""
    folder = tmp_path_factory.mktemp("events")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT / "events", check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    zipfile.ZipFile(path).extractall(folder / "there")
    return folder / "there"


def test_it_holds_one_package_of_the_same_version(unpacked: Path) -> None:
    assert {path.name for path in unpacked.iterdir() if path.suffix != ".dist-info"} == {"baton_events"}
    alone, whole = (tomllib.loads((ROOT / place).read_text()) for place in ("events/pyproject.toml", "pyproject.toml"))
    assert alone["project"]["version"] == whole["project"]["version"]
    assert set(alone["project"]["dependencies"]) <= set(whole["project"]["dependencies"])
    assert len(alone["project"]["dependencies"]) == 3


@pytest.mark.parametrize("settings", ["qstash"], indirect=True)
async def test_it_emits_where_nothing_else_is_installed(
    unpacked: Path, settings: Settings, endpoint: Destination
) -> None:
    """The environment names the queue, the token and the endpoints; the event is delivered."""
    environment = {
        "QSTASH_URL": settings.qstash_url,
        "QSTASH_TOKEN": settings.qstash_token,
        "WORKER_BASE_URL": settings.worker_base_url,
    }
    needed = closure("msgspec", "pydantic", "qstash")
    modules = [name for name, them in packages_distributions().items() if needed & {_normal(each) for each in them}]
    command = [sys.executable, "-I", "-c", EMITS, str(unpacked), json.dumps(EVENT)]
    arguments = json.dumps(["baton_events", *modules])
    process = await asyncio.create_subprocess_exec(*command, arguments, env=environment, stdout=asyncio.subprocess.PIPE)
    written, _ = await process.communicate()
    assert process.returncode == 0
    (delivery,) = endpoint.wait("/api/v2/workers/agent-loop")
    assert delivery.headers["upstash-message-id"] == written.decode().strip()
    assert json.loads(delivery.body)["id"] == "evt_1"


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")
