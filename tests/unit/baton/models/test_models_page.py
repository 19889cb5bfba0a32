"""What docs/models.md shows works."""

import re
from pathlib import Path
from typing import Any

from baton.agents.registry import Registry

PAGE = Path(__file__).parents[4] / "docs" / "models.md"


def test_the_examples_make_a_registry() -> None:
    """Without any library or key."""
    code = "".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    assert isinstance(names["registry"], Registry)
    assert names["thinker"].offload == "provider"
    assert names["census"].output.spec.parameters["required"] == ["name", "people"]
