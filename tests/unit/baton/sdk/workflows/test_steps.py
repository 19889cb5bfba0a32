"""The steps of a workflow are what its code loads, through the user's functions, and nothing that has their name."""

import sys
from pathlib import Path
from time import process_time

import pytest

from baton.sdk.workflows.steps import steps_of
from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.reaching import HEAD, ROWS

BOUGHT = """
from baton import sleep

def made(step):
    async def send(x): await step(x)
    return send

async def sends(x): await sleep(1)

class Shop:
    async def send(self, x): await sleep(1)
"""


def _steps(load: Load, text: str) -> str:
    return " ".join(step.name for step in steps_of(load(HEAD + text).flow))


@pytest.mark.parametrize("case", ROWS)
def test_finds_what_the_code_loads(load: Load, case: str) -> None:
    assert _steps(load, ROWS[case]) == case.partition(":")[2].strip()


def test_finds_the_last_of_many_names(load: Load) -> None:
    names = [f"name{number}" for number in range(600)]
    shop = "shop = types.SimpleNamespace(step=ship)\n" + "".join(f"{name} = 1\n" for name in names)
    text = f"{shop}async def flow(x):\n    print({', '.join(names)})\n    await shop.step(x)"
    assert _steps(load, text) == "ship"


@pytest.mark.parametrize("folder", ["site-packages", "archive"])
def test_does_not_look_into_libraries(load: Load, tmp_path: Path, folder: str) -> None:
    place, name = tmp_path / folder, f"bought_{folder[:4]}"
    (place / "bought-1.dist-info").mkdir(parents=True)
    (place / "bought-1.dist-info" / "top_level.txt").write_text(f"other\n{name}\n", encoding="utf-8")
    (place / f"{name}.py").write_text(BOUGHT, encoding="utf-8")
    sys.path.insert(0, str(place))
    try:
        text = f"import {name} as bought\nasync def one(x): await ship(x)\n"
        assert _steps(load, text + "async def flow(x): await bought.sends(x)") == ""
        assert _steps(load, text + "class Shop(bought.Shop): pass\nasync def flow(x): await Shop().send(x)") == ""
        assert _steps(load, text + "async def flow(x):\n    from " + name + " import sends\n    await sends(x)") == ""
        assert _steps(load, text + "send = bought.made(one)\nasync def flow(x): await send(x)") == "ship"
        assert _steps(load, text + "async def flow(x): await bought.sleep(x)") == "sleep"
    finally:
        sys.path.remove(str(place))


def test_imports_a_module_of_the_users_that_the_code_imports(load: Load, tmp_path: Path) -> None:
    (tmp_path / "late_shop").mkdir()
    (tmp_path / "late_shop" / "steps.py").write_text(
        "from baton import tool\n@tool\nasync def pack(x: str) -> None: ...\n", encoding="utf-8"
    )
    (tmp_path / "late_shop" / "broken.py").write_text("raise SystemExit(1)", encoding="utf-8")
    sys.path.insert(0, str(tmp_path))
    try:
        assert _steps(load, "async def flow(x):\n    from late_shop.steps import pack\n    await pack(x)") == "pack"
        assert (
            _steps(load, "async def flow(x):\n    from late_shop import broken, steps\n    await steps.pack(x)")
            == "pack"
        )
        assert _steps(load, "async def flow(x):\n    import late_shop.none\n    await ship(x)") == "ship"
        assert _steps(load, "async def flow(x):\n    from . import none\n    await ship(x)") == "ship"
    finally:
        sys.path.remove(str(tmp_path))


def test_reading_is_cheap_and_ends(load: Load) -> None:
    many = "".join(f"async def part{at}(x):\n    await ship(x)\n    return part{at + 1}\n" for at in range(500))
    rows = f"ROWS = [{{'a': at}} for at in range(200_000)]\n{many}part500 = None\n"
    module = load(f"{HEAD}{rows}async def flow(x):\n    await part0(x)\n    return ROWS")
    before = process_time()
    assert [step.name for step in steps_of(module.flow)] == ["ship"]
    assert process_time() - before < 1
