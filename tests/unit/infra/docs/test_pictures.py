"""The pictures of docs/architecture.md show what the code does, and nothing that follows from what they show."""

import re

import grimp

from baton_local.docs.pictures import event_path, house


def _arrows() -> dict[str, list[str]]:
    rows = re.findall(r"^    (\w+) --> (.*)$", house(), re.MULTILINE)
    return {part: others.split(" & ") for part, others in rows}


def _reached(part: str, arrows: dict[str, list[str]]) -> set[str]:
    return {further for other in arrows.get(part, ()) for further in {other} | _reached(other, arrows)}


def test_arrows_reach_every_folder_that_is_imported_and_no_other() -> None:
    """Of each folder with an arrow."""
    arrows, graph = _arrows(), grimp.build_graph("baton", "baton_events", cache_dir=None)
    folders = [part for part in graph.find_children("baton") if graph.find_children(part)]
    for folder in (*folders, "baton_events"):
        graph.squash_module(folder)
    for folder in folders:
        imported = {
            other.removeprefix("baton.")
            for other in (*folders, "baton_events")
            if other != folder and graph.chain_exists(importer=folder, imported=other)
        }
        assert _reached(folder.removeprefix("baton."), arrows) == imported


def test_no_arrow_follows_from_others() -> None:
    """A picture with all of them is unreadable."""
    arrows = _arrows()
    for others in arrows.values():
        assert not any(other in _reached(between, arrows) for between in others for other in others)


def test_an_event_is_verified_claimed_decided_done_committed_and_published_in_this_order() -> None:
    """As the traced run met them; a coroutine that goes on is no second call."""
    steps = re.findall(r"\S+: (\S+)", event_path())
    assert steps == [
        "SignedEndpoint.__call__",
        "Verifier.signed_digest",
        "Verifier.check_body",
        "parse_event",
        "Pipeline.handle",
        "Store.claim",
        "decide",
        "ToolRun.__call__",
        "decide",
        "Store.commit",
        "dispatch",
        "Queue.publish",
    ]
