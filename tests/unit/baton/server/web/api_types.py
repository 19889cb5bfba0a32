"""The types of the TypeScript client, made by openapi-typescript from the schemas that its operations have.

`python -m tests.unit.baton.server.web.api_types` writes them anew.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from baton_local.dev.environment import inherited_environment
from tests.contract.js.node_program import NodeProgram
from tests.npm_packages import find_node, npm_packages
from tests.unit.baton.client.described import DOCUMENT, EXPECTED, SCHEMAS, of

PACKAGE = Path(__file__).parents[5] / "functions" / "web"
TYPES = PACKAGE / "src" / "api.ts"
COMMAND = "node_modules/openapi-typescript/bin/cli.js"
OPTIONS = ("--root-types", "--root-types-no-schema-prefix", "--empty-objects-unknown", "--default-non-nullable=false")


def generated() -> str:
    packages = npm_packages(PACKAGE, "web")
    with tempfile.TemporaryDirectory() as name:
        described, types = Path(name) / "openapi.json", Path(name) / "api.ts"
        described.write_text(json.dumps(_schemas_alone()), encoding="utf-8")
        node = NodeProgram(find_node()[0], packages)
        done = node.run(packages, COMMAND, str(described), "-o", str(types), *OPTIONS, **inherited_environment())
        assert done.returncode == 0, done.stdout + done.stderr
        return types.read_text(encoding="utf-8")


def _schemas_alone() -> dict[str, Any]:
    used: set[str] = set()
    left = {name for operation in EXPECTED for name in _referred(of(operation))}
    while left:
        used |= left
        left = {name for used_now in left for name in _referred(SCHEMAS[used_now])} - used
    schemas = {name: _untitled(schema) for name, schema in SCHEMAS.items() if name in used}
    return {"openapi": "3.1.0", "info": DOCUMENT["info"], "paths": {}, "components": {"schemas": schemas}}


def _referred(value: Any) -> Iterator[str]:
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _referred(each)
    if isinstance(value, dict) and "$ref" in value:
        yield value["$ref"].rpartition("/")[2]


def _untitled(value: Any) -> Any:
    """Without pydantic's titles, which say the name again."""
    if isinstance(value, list):
        return [_untitled(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _untitled(each) for name, each in value.items() if name != "title" or isinstance(each, dict)}


if __name__ == "__main__":
    TYPES.write_text(generated(), encoding="utf-8")
