from pathlib import Path

import pytest

from baton_local.vector.__main__ import parse


def test_without_options_the_defaults_hold() -> None:
    """The usual port, a folder of its own, the offline model, no delay, no faults."""
    options = parse([], {"LOCAL_VECTOR_TOKEN": "t"})
    assert vars(options) == {
        "host": "127.0.0.1",
        "port": 8078,
        "data": Path(".baton/store/vector"),
        "token": "t",
        "dimension": None,
        "embedder": "hash",
        "index_delay_ms": 0,
        "faults": False,
    }


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
        (["--nosuch"], "--nosuch"),
    ],
)
def test_wrong_use_is_exit_code_2(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(arguments, {})
    assert end.value.code == 2
    assert reason in capsys.readouterr().err
