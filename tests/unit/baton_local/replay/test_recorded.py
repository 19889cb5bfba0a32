"""Reading a recording: what cannot be played is refused with the reason and the way out."""

import json
from typing import Any

import pytest

from baton_local.replay.recorded import ReplayError, read_recording
from tests.unit.baton_local.replay.recorder import recorded
from tests.unit.baton_local.replay.sample_agents import registry_of


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "x is not JSON"),
        ("[]", "x is no recording: save one with `baton replay JOB --offline --save FILE`"),
        ('{"v": true}', "x is no recording"),
        ('{"v": 2}', "x is a recording of version 2, and this code reads up to 1: install the version of Baton"),
        ('{"v": 1}', "x is a damaged recording: job: Field required"),
        ('{"v": 1, "job": {}}', "x is a damaged recording: job.id: Field required"),
    ],
)
def test_what_is_no_recording_is_refused(text: str, why: str) -> None:
    with pytest.raises(ReplayError, match="x is") as refused:
        read_recording(text, "x")
    assert str(refused.value).startswith(why)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"role": "model", "turn": 1, "text": "x"}, "entry 4 needs 'calls', list: it has None"),
        ({"role": "model", "turn": "1", "text": "x", "calls": []}, "entry 4 needs 'turn', int: it has '1'"),
        ({"role": "model", "turn": 1, "text": "x", "calls": [{"id": "a"}]}, "entry 4: a call needs 'id', 'tool' and"),
        ({"role": "memory", "entries": []}, "entry 4 needs 'warnings', list"),
    ],
)
async def test_a_damaged_transcript_is_refused(entry: dict[str, Any], why: str) -> None:
    """Before anything is played; the entry is named."""
    document: dict[str, Any] = await recorded(registry_of(), "loop")
    document["job"]["transcript"][4] = entry
    with pytest.raises(ReplayError, match="x is a damaged recording") as refused:
        read_recording(json.dumps(document), "x")
    assert why in str(refused.value)


async def test_fields_of_a_later_writing_of_this_version_are_ignored() -> None:
    document: dict[str, Any] = await recorded(registry_of(), "loop")
    document["job"]["new"] = document["new"] = 1
    recording = read_recording(json.dumps(document), "x")
    assert [call.tool for call in recording.job.tool_calls[:2]] == ["add", "add"]
    assert recording.job.turns() == [1, 2, 3, 4]
