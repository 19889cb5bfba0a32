"""The tables of infra/README.md: what the stand-ins emulate, what they do not, where the hosted services differ.

Invariant: made of the tables that the contract tests run and check, so that a row is there only with its test.
"""

from collections.abc import Iterable

from baton_local.docs.markdown_table import markdown_table
from tests.contract.coverage.differences import DIFFERENCES
from tests.contract.coverage.javascript_surface import javascript_methods
from tests.contract.coverage.not_emulated import NOT_EMULATED, left_out
from tests.contract.coverage.surface import python_methods, synchronous

_REGISTRY = {True: "npm", False: "PyPI"}


def emulated_table() -> str:
    """One row a class of an SDK, with every method that has a passing test."""
    methods = python_methods(synchronous()) | javascript_methods()
    owners: dict[str, list[str]] = {}
    for method in sorted(methods - left_out(methods, NOT_EMULATED), key=_order):
        owner, _, name = method.rpartition(".")
        owners.setdefault(owner, []).append(name)
    return markdown_table(["SDK", "class", "methods", "which"], (_row(owner, names) for owner, names in owners.items()))


def not_emulated_table() -> str:
    """One row a reason."""
    rows = ([row.what, row.why, row.answer] for row in NOT_EMULATED)
    return markdown_table(["what", "why", "what is answered"], rows)


def differences_table() -> str:
    """One row a difference, in the order of the services."""
    rows = ([each.service, each.hosted, each.here, f"`{each.test.rpartition('::')[2]}`"] for each in DIFFERENCES)
    return markdown_table(["service", "hosted", "here", "held by"], rows)


def _order(method: str) -> tuple[str, bool, str]:
    """QStash, Redis, Vector; in each the Python SDK first."""
    package = method.partition(" ")[0]
    service = package.removeprefix("@upstash/").removeprefix("upstash-")
    return service, package.startswith("@"), method


def _row(owner: str, names: Iterable[str]) -> list[str]:
    package, _, name = owner.partition(" ")
    listed = list(names)
    return [
        f"`{package}` ({_REGISTRY[package.startswith('@')]})",
        f"`{name}`",
        str(len(listed)),
        f"`{' '.join(listed)}`",
    ]
