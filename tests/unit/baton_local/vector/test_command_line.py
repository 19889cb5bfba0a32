from pathlib import Path

import pytest

from baton_local.vector.__main__ import parse
from baton_local.vector.settings import Settings


def test_without_options_the_defaults_hold() -> None:
    """The usual port, a folder of its own, the offline model, no delay, no faults."""
    assert parse([], {}) == Settings(data=Path(".baton/vector"))
    assert (parse([], {}).port, parse([], {}).embedder, parse([], {}).faults) == (8078, "hash", False)


def test_every_option_has_its_place() -> None:
    line = "--host ::1 --port 0 --data d --token t --read-only-token r --dimension 5 --embedder m:f --index-delay-ms 7"
    assert parse([*line.split(), "--faults"], {}) == Settings(
        data=Path("d"),
        host="::1",
        port=0,
        token="t",
        read_only_token="r",
        dimension=5,
        embedder="m:f",
        index_delay_ms=7,
        faults=True,
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--dimension", "0"], "--dimension 0 is not between 1 and 3072"),
        (["--dimension", "3073"], "--dimension 3073 is not between"),
        (["--dimension", "x"], "--dimension"),
        (["--index-delay-ms", "-1"], "is negative"),
        (["--embedder", "nocolon"], "'nocolon' is neither hash, none nor of the form module:function"),
        (["--embedder", ":f"], "module:function"),
        (["--token", ""], "must not be empty"),
        (["--read-only-token", ""], "must not be empty"),
        (["--token", "t", "--read-only-token", "t"], "are the same"),
        (["--nosuch"], "--nosuch"),
    ],
)
def test_wrong_use_is_exit_code_2(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(arguments, {})
    assert end.value.code == 2
    assert reason in capsys.readouterr().err
