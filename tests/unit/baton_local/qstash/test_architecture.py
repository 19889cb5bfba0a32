import ast
from pathlib import Path

import pytest

ROOT = Path("infra/baton_local/qstash")
FILES = sorted(ROOT.rglob("*.py"))
FOREIGN = {"qstash", "events", "functions", "baton", "upstash_redis", "upstash_vector"}
IMPURE = {
    "asyncio",
    "sqlite3",
    "time",
    "random",
    "secrets",
    "os",
    "socket",
    "threading",
    "aiohttp",
    "uvicorn",
    "logging",
}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("path", FILES, ids=str)
def test_server_shares_no_code_with_what_it_stands_in_for(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imports(path)} & FOREIGN


@pytest.mark.parametrize("path", [path for path in FILES if "core" in path.parts], ids=str)
def test_core_is_pure(path: Path) -> None:
    """No I/O, clock or randomness, and nothing of the shell around it."""
    names = imports(path)
    assert not {name.partition(".")[0] for name in names} & IMPURE
    assert "datetime.now" not in path.read_text(encoding="utf-8")
    own = {name for name in names if name.startswith("baton_local.")}
    assert all(name.startswith(("baton_local.qstash.core", "baton_local.stand_in.api_error")) for name in own)


def test_readme_names_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {word for word in text.replace(",", " ").split("`") if word.endswith(".py") and "*" not in word}
    assert named
    assert all((ROOT / name).exists() for name in named)
