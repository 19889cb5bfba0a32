"""The official JavaScript SDKs against the stand-ins: every test of every file, and every public method in one."""

import fnmatch
import json
from pathlib import Path

import pytest

from tests.contract.coverage.javascript_surface import METHODS, javascript_methods
from tests.contract.coverage.not_emulated import NOT_EMULATED, left_out
from tests.contract.js.javascript_results import JavaScriptResults

HERE = Path(__file__).parent
FILES = sorted(path.name for path in HERE.glob("*.test.mjs"))
SDKS = {"qstash": "@upstash/qstash", "redis": "@upstash/redis", "vector": "@upstash/vector"}
# These only build a request or look at what is here; what sends it has a test of an error.
NEVER_FAIL = ("@upstash/redis Pipeline.*", "@upstash/redis BitFieldCommand.*", "@upstash/redis Subscriber.*")

pytestmark = pytest.mark.node


@pytest.mark.parametrize("file", FILES)
def test_the_sdk_works(javascript: JavaScriptResults, subtests: pytest.Subtests, file: str) -> None:
    for result in javascript.of(file):
        with subtests.test(result.name):
            assert result.passed, result.error


def passed(javascript: JavaScriptResults, what: str) -> set[str]:
    """The methods for which a test that ends with these words has passed."""
    return {
        f"{SDKS[file.partition('.')[0].partition('_')[0]]} {result.name.removesuffix(what)}"
        for file in FILES
        for result in javascript.of(file)
        if result.passed and result.name.endswith(what)
    }


def test_the_list_of_methods_is_that_of_the_sdks(javascript: JavaScriptResults) -> None:
    """When an SDK is updated: `node surface.mjs > methods.json` beside an installed SDK."""
    assert json.loads(javascript.surface()) == json.loads(METHODS.read_text(encoding="utf-8"))


def test_every_public_method_has_a_success_and_an_error(javascript: JavaScriptResults) -> None:
    methods = javascript_methods()
    missing = left_out(methods, NOT_EMULATED)
    succeeding, failing = passed(javascript, " succeeds"), passed(javascript, " reports errors")
    cannot_fail = {each for each in methods for pattern in NEVER_FAIL if fnmatch.fnmatchcase(each, pattern)}
    assert sorted(methods - missing - succeeding) == []
    assert sorted(methods - missing - failing - cannot_fail) == []
    assert sorted(missing & succeeding) == []
