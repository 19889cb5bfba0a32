"""Every public method of the official JavaScript SDKs, as `package Class.method`, from the list that its tests hold."""

import json
from pathlib import Path

METHODS = Path(__file__).parents[1] / "js" / "methods.json"


def javascript_methods() -> set[str]:
    packages = json.loads(METHODS.read_text(encoding="utf-8"))
    return {
        f"{package} {owner}.{name}"
        for package, owners in packages.items()
        for owner, names in owners.items()
        for name in names
    }
