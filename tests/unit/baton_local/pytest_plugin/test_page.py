"""infra/README.md is held to the code: fixtures and options that it names exist, and none is left out."""

import re
from pathlib import Path

import pytest

from baton_local import pytest_plugin as baton_pytest
from baton_local.fixtures.servers import QStashFaults, RequestFaults
from baton_local.qstash.__main__ import _parser as qstash_parser
from baton_local.vector.__main__ import _parser as vector_parser

PAGE = (Path(__file__).resolve().parents[4] / "infra" / "README.md").read_text(encoding="utf-8")
WRITTEN = PAGE.partition("## What is emulated")[0]
FIXTURES = {name for name in vars(baton_pytest) if re.fullmatch(r"(qstash|redis|vector|agent|local|odd)_\w+", name)}


def test_every_fixture_is_on_the_page_and_no_other() -> None:
    named = set(re.findall(r"`((?:qstash|redis|vector|agent|local|odd)_\w+)`", WRITTEN))
    assert named == FIXTURES


@pytest.mark.parametrize("faults", [QStashFaults, RequestFaults])
def test_every_fault_is_on_the_page(faults: type) -> None:
    methods = {name for name in dir(faults) if not name.startswith("_")} - {"clear", "left"}
    assert sorted(name for name in methods if f"`{name}()`" not in WRITTEN) == []


def test_options_on_the_page_exist() -> None:
    """For `baton qstash` and `baton vector`; those of `baton redis` are among them."""
    known = qstash_parser({}).format_help() + vector_parser({}).format_help()
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", WRITTEN))
    assert sorted(option for option in named if option not in known) == []
