"""`python -m tests.upgrade.make --version X`: write the corpus of this version, one file for each situation.

`--pydantic-ai X` writes the stored runs of a durable agent under that version of pydantic-ai.

Everything is done by this code on a real Redis server; what it ends with is what later versions must end with.
"""

import argparse
import asyncio
import tempfile
import tomllib
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from packaging.version import Version

from baton.wiring import real_ports
from tests.contract.store.redis_process import TOKEN, RedisProcess
from tests.fakes.clock import FakeClock
from tests.upgrade import situations_of_life, situations_of_waits, situations_of_work
from tests.upgrade.finishing import ends_of, finish, not_ended, runs_of
from tests.upgrade.in_flight import InFlight, ahead_of_redis
from tests.upgrade.installation import Installation, settings_of
from tests.upgrade.maker import Maker, Situation, by_hand, mortal_store
from tests.upgrade.pydantic_ai import situations as of_pydantic_ai
from tests.upgrade.pydantic_ai.supported import NAME, environment_with, run_in
from tests.upgrade.saved import CORPUS, CORPUS_OF_PYDANTIC_AI, RawRedis, Saved, saved_keys
from tests.upgrade.shapes import of_this_code, text_of

IN_PLACE = situations_of_work.IN_PLACE
SITUATIONS = {
    **situations_of_work.WORK,
    **by_hand(situations_of_work),
    **situations_of_waits.WAITS,
    **by_hand(situations_of_waits),
    **situations_of_life.LIFE,
    **by_hand(situations_of_life),
    **IN_PLACE,
}
OF_PYDANTIC_AI = {**of_pydantic_ai.RUNS, **by_hand(of_pydantic_ai)}


async def make_one(process: RedisProcess, redis: RawRedis, situation: Situation) -> Saved:
    """Come into a situation, save it, and finish it."""
    redis.run([["FLUSHALL"]])
    continuation = "inline" if situation in IN_PLACE.values() else "queue"
    settings = replace(settings_of(continuation), redis_url=process.url, redis_token=TOKEN)
    store, clock = mortal_store(process, settings.job_retention_seconds * 1000), FakeClock()
    queue = InFlight(ahead_ms=ahead_of_redis(clock))
    ports = replace(real_ports(settings), store=store)
    async with Installation(settings, ports, queue, clock, "made0").running() as version:
        maker = Maker(version, store, redis)
        await situation.make(maker)
        saved = Saved(situation.about, clock.ms, saved_keys(redis), tuple(queue.messages.values()), tuple(maker.then))
        version.kit.ran.clear()
        await finish(version, saved.then)
        left = await not_ended(version, saved)
        assert not left, f"this version does not finish what it began: {left}"
        saved = replace(saved, ends=await ends_of(version), ran=runs_of(version))
    await store.close()
    return saved


def developed() -> str:
    """The version that is being developed: its corpus may be made anew, those before it stay as they are."""
    project = tomllib.loads((CORPUS.parents[2] / "pyproject.toml").read_text())
    return str(project["project"]["version"])


def make(folder: Path, only: str) -> None:
    if folder.name != developed():
        raise SystemExit(
            f"this code is version {developed()} (pyproject.toml): the corpus of {folder.name} stays as it is, since"
            " others may have such states; for a new corpus raise the version first"
        )
    folder.mkdir(parents=True, exist_ok=True)
    if not only:
        for old in folder.iterdir():
            old.unlink()
        (folder / "schema.lock").write_text(text_of(of_this_code()))
    write(folder, {name: situation for name, situation in SITUATIONS.items() if only in name})


def make_runs(version: Version) -> None:
    """Write the stored runs, in an environment of its own if another version of pydantic-ai is installed."""
    installed = metadata.version(NAME)
    if version == Version(installed):
        write(CORPUS_OF_PYDANTIC_AI / installed, OF_PYDANTIC_AI)
        return
    with tempfile.TemporaryDirectory() as folder:
        run_in(environment_with(str(version), Path(folder)), "tests.upgrade.make", "--pydantic-ai", str(version))


def write(folder: Path, situations: dict[str, Situation]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        process = RedisProcess(Path(data) / "redis")
        redis = RawRedis(process.url, TOKEN)
        try:
            for name, situation in situations.items():
                saved = asyncio.run(make_one(process, redis, situation))
                (folder / f"{name}.json").write_text(saved.text())
                found = f"{name}: {len(saved.keys)} keys, {len(saved.messages)} in flight, {saved.about}"
                print(found)  # noqa: T201 - a command
        finally:
            redis.close()
            process.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--version", help="the folder below tests/upgrade/corpus")
    which.add_argument("--pydantic-ai", type=Version, help="the folder below tests/upgrade/pydantic_ai/corpus")
    parser.add_argument("--only", default="", help="only situations with this in their names")
    chosen = parser.parse_args()
    if chosen.pydantic_ai:
        make_runs(chosen.pydantic_ai)
    else:
        make(CORPUS / chosen.version, chosen.only)


if __name__ == "__main__":
    main()
