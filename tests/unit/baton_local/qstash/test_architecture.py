from pathlib import Path

ROOT = Path("infra/baton_local/qstash")


def test_readme_names_files_that_exist() -> None:
    """What the core may not import stands in .importlinter."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {word for word in text.replace(",", " ").split("`") if word.endswith(".py") and "*" not in word}
    assert named
    assert all((ROOT / name).exists() for name in named)
