"""Modules of a user, which tests write and import."""

import importlib.util
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]
_NUMBERS = itertools.count()
HEAD = "import asyncio\nimport time\nfrom baton import Registry, tool, workflow, sleep\n\n"
ADD = "@tool\nasync def add(a: int, b: int) -> int:\n    return a + b\n\n"


def cases(text: str) -> dict[str, str]:
    parts = (part.partition("\n") for part in text.removeprefix("## ").split("\n## "))
    heads = ((*head.partition(" | "), body) for head, _, body in parts)
    return {name: line or body for name, _, line, body in heads}


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(text: str) -> ModuleType:
        path = tmp_path / f"flow{next(_NUMBERS)}.py"
        path.write_text(HEAD + ADD + text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # `inspect` finds the module of a class by its name.
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module

    return loaded
