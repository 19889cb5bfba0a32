"""Which sources go into a bundle: our packages, somebody's agents, the deployed functions; nothing that tools made."""

import tomllib
from pathlib import Path

import pytest

from baton_local.bundle.bundling import added_libraries, copy_app, copy_handlers, copy_own
from baton_local.dev.stack_error import StackError

ROOT = Path(__file__).parents[4]


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("", encoding="utf-8")
    return folder


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_our_own_code_is_there_with_its_data_and_without_infra(tmp_path: Path) -> None:
    """Scripts of the store, templates of the console; no bytecode of this machine."""
    copy_own(tmp_path)
    found = files_of(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert names == {"baton", "baton_events", f"durable_baton-{version}.dist-info"}
    assert {
        "baton/store/redis/lua/commit.lua",
        "baton/server/console/templates/base.html",
        "baton/__init__.py",
    } <= found
    assert not [name for name in found if name.endswith(".pyc") or "/." in name]


def test_an_app_brings_its_packages_and_their_data(tmp_path: Path) -> None:
    """And leaves behind what is beside the code: tests, notes of tools, hidden things."""
    kept = ["acme/agents.py", "acme/prompts/system.md", "acme/build/steps.py", "single.py"]
    left = [".env", ".venv/x.py", "tests/test_agents.py", "acme/__pycache__/agents.cpython-311.pyc", "requirements.txt"]
    app, folder = tree(tmp_path / "app", *kept, *left), tmp_path / "task"
    folder.mkdir()
    copy_app(app, folder)
    assert files_of(folder) == set(kept)


def test_an_app_takes_no_name_that_is_there(tmp_path: Path) -> None:
    """A package called `baton` would be imported in place of ours."""
    folder = tree(tmp_path / "task", "baton/__init__.py")
    with pytest.raises(StackError, match="baton is a name that Baton or a library has"):
        copy_app(tree(tmp_path / "app", "baton/__init__.py", "acme/agents.py"), folder)


def test_a_folder_without_code_is_no_app(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="no Python module or package in this folder"):
        copy_app(tree(tmp_path / "app", "README.md"), tmp_path)


def test_a_package_is_not_taken_for_the_folder_that_it_is_in(tmp_path: Path) -> None:
    """Its modules would be at the top of the bundle, and BATON_APP would find none."""
    package = tree(tmp_path / "my" / "acme", "__init__.py", "agents.py")
    with pytest.raises(StackError, match=f"acme is a package; name the folder that it is in: --app {package.parent}$"):
        copy_app(package, tmp_path)


def test_what_is_around_a_projects_code_stays_behind(tmp_path: Path) -> None:
    """Its functions and events are packaged, and a package beside them."""
    kept = ["functions/agents.py", "events/orders.py", "shop/prices.py"]
    left = ["serverless.yml", "infra/setup.py", "dist/baton-arm64.zip", "uv.lock", "Makefile", "node_modules/a.py"]
    project, folder = tree(tmp_path / "project", *kept, *left), tmp_path / "task"
    folder.mkdir()
    copy_app(project, folder)
    assert files_of(folder) == set(kept)


def test_deployed_functions_are_there_and_somebodys_own_are_kept(tmp_path: Path) -> None:
    """Where an app has one of them, that one is used; the others are ours."""
    tree(tmp_path, "functions/handlers/sweep.py", "functions/agents.py")
    copy_handlers(tmp_path)
    ours = {file.name: file.read_text("utf-8") for file in (ROOT / "functions" / "handlers").glob("*.py")}
    found = {file.name: file.read_text("utf-8") for file in (tmp_path / "functions" / "handlers").iterdir()}
    assert found == {**ours, "sweep.py": ""}
    assert (tmp_path / "functions" / "agents.py").is_file()


def test_libraries_of_an_app_are_not_forgotten(tmp_path: Path) -> None:
    """Those in pyproject.toml alone would be missing in the cloud, at the first import."""
    app = tree(tmp_path / "app", "acme/agents.py")
    assert added_libraries(app) is None
    (app / "pyproject.toml").write_text(
        '[project]\nname = "acme"\ndependencies = ["durable-baton", "pypdf>=6"]\n', "utf-8"
    )
    with pytest.raises(StackError, match=r"takes them from requirements.txt: write it with `uv export"):
        added_libraries(app)
    tree(app, "requirements.txt")
    assert added_libraries(app) == app / "requirements.txt"


def test_an_app_that_needs_only_baton_names_nothing_else(tmp_path: Path) -> None:
    app = tree(tmp_path / "app", "acme/agents.py")
    (app / "pyproject.toml").write_text('[project]\nname = "acme"\ndependencies = ["durable-baton>=0.1"]\n', "utf-8")
    assert added_libraries(app) is None
