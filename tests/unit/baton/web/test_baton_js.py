"""The JavaScript client, tested in node by node's own runner."""

from pathlib import Path

from baton_local.dev.surroundings import inherited_environment
from tests.contract.js.node_program import NodeProgram
from tests.npm_packages import find_node

HERE = Path(__file__).parent
CLIENT = HERE.parents[3] / "functions" / "baton" / "web" / "static" / "baton.js"


def test_the_client_does_what_its_tests_say() -> None:
    node = NodeProgram(find_node()[0], HERE)
    environment = {**inherited_environment(), "BATON_JS": str(CLIENT)}
    done = node.run(HERE, "--test", "--test-reporter=spec", "baton.test.mjs", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass 11" in done.stdout
