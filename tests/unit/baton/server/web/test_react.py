"""The JavaScript client, and the npm package built of it and the hook by TypeScript, tested by node's own runner."""

import shutil
from pathlib import Path

import pytest

from baton_local.dev.environment import inherited_environment
from tests.contract.js.node_program import NodeProgram
from tests.npm_client import source_copy
from tests.npm_packages import find_node

HERE = Path(__file__).parent
CLIENT = HERE.parents[4] / "functions" / "baton" / "server" / "web" / "static" / "baton.js"


def test_the_client_does_what_its_tests_say() -> None:
    node = NodeProgram(find_node()[0], HERE)
    environment = {**inherited_environment(), "BATON_JS": str(CLIENT)}
    done = node.run(HERE, "--test", "--test-reporter=spec", "baton.test.mjs", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass 32" in done.stdout


@pytest.mark.node
@pytest.mark.long
def test_the_hook_does_what_its_tests_say(tmp_path: Path) -> None:
    built = source_copy(tmp_path)
    shutil.copy(HERE / "react.test.mjs", built)
    node = NodeProgram(find_node()[0], built)
    compiled = node.run(built, "node_modules/typescript/bin/tsc", **inherited_environment())
    assert compiled.returncode == 0, compiled.stdout
    done = node.run(built, "--test", "--test-reporter=spec", "react.test.mjs", **inherited_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass 4" in done.stdout
