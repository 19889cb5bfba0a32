import ast
from pathlib import Path

ROOT = Path("infra/baton_local/qstash")


def test_core_knows_nothing_of_the_shell_around_it() -> None:
    """What else it may not import, and that no module imports ours or the SDKs, stands in .importlinter."""
    for path in sorted((ROOT / "core").rglob("*.py")):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        own = {f"{node.module}." for node in nodes if isinstance(node, ast.ImportFrom)}
        foreign = {name for name in own if name.startswith("baton_local.") and "qstash.core." not in name}
        assert foreign <= {"baton_local.stand_in.api_error."}, path


def test_readme_names_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {word for word in text.replace(",", " ").split("`") if word.endswith(".py") and "*" not in word}
    assert named
    assert all((ROOT / name).exists() for name in named)
