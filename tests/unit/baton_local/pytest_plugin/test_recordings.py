"""`replay_recording`: a recorded run as a test."""

import json
from pathlib import Path

import pytest

from baton_local.pytest_plugin import replay_recording
from tests.unit.baton_local.replay.recorder import recorded
from tests.unit.baton_local.replay.sample_agents import registry_of


async def test_a_run_that_is_decided_as_it_was_passes(tmp_path: Path) -> None:
    """From a file or its document, in a test that is async."""
    document = await recorded(registry_of(), "boss")
    replay_recording(document, registry_of())
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    replay_recording(path, registry_of())
    replay_recording(str(path), registry_of())


async def test_a_difference_is_the_failures_message() -> None:
    """With both sides."""
    document = await recorded(registry_of(), "loop")
    with pytest.raises(pytest.fail.Exception, match=r"instructions that the model reads(.|\n)*\+New\."):
        replay_recording(document, registry_of(instructions="New."))


def test_a_file_that_is_not_there_fails_the_test(tmp_path: Path) -> None:
    """In a line that names it."""
    with pytest.raises(pytest.fail.Exception, match=r"none\.json cannot be read"):
        replay_recording(tmp_path / "none.json", registry_of())
