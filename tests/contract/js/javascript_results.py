"""Runs files of JavaScript tests and keeps what came of each test."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.contract.js.node_program import NodeProgram


@dataclass(frozen=True)
class Result:
    name: str
    passed: bool
    error: str


class JavaScriptResults:
    def __init__(self, node: NodeProgram, folder: Path, environment: Mapping[str, str]) -> None:
        self._node = node
        self._folder = folder
        self._environment = environment
        self._known: dict[str, Sequence[Result]] = {}

    def of(self, file: str) -> Sequence[Result]:
        if file not in self._known:
            self._known[file] = self._run(file)
        return self._known[file]

    def surface(self) -> str:
        done = self._node.run(self._folder, "surface.mjs")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, file: str) -> Sequence[Result]:
        arguments = ("--test-reporter=./reporter.mjs", file)
        done = self._node.run(self._folder, *arguments, **self._environment)
        results = [Result(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith('{"name"')]
        assert results, f"{file} ran no test: {done.stderr}"
        assert (done.returncode == 0) == all(result.passed for result in results), done.stderr
        return results
