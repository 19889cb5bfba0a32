"""Redis compares and writes: its scripts are few and small, and know nothing of jobs."""

import re
from pathlib import Path

import msgspec
import pytest

from baton.engine import state, work_items
from baton.engine.all_jobs import ends, slots
from baton.engine.transitions import CallStatus, JobStatus
from tests.architecture.source_files import ROOT

ALL_LIMIT_LINES, LIMIT_LINES, LIMIT_BRANCHES = 830, 120, 25
SCRIPTS = sorted((ROOT / "functions/baton").rglob("*.lua"))
MODULES = (slots, ends, state, work_items)
# Fields that are a word of Redis, of Lua or of any program, too.
EVERYBODYS = frozenset({"key", "name", "text", "version", "error", "call"})

_COMMENT = re.compile(r"--[^\n]*")
_STRING = re.compile(r"'((?:[^'\\\n]|\\.)*)'|\"((?:[^\"\\\n]|\\.)*)\"")
_WORD = re.compile(r"[A-Za-z][A-Za-z_]*")
_FIELD = re.compile(r"\.([a-z_]+)")
_TABLE, _MADE = re.compile(r"\{([^{}]*)\}"), re.compile(r"\b([a-z_]+)\s*=")
_BRANCH = re.compile(r"\b(?:if|elseif|for|while|repeat)\b")


def domain() -> frozenset[str]:
    """All kinds, statuses and wants, and the fields of records that are kept of jobs."""
    kinds = {*work_items.ItemKind, *JobStatus, *CallStatus, "slot", "none", "gone"}
    records = [
        record
        for module in MODULES
        for record in vars(module).values()
        if isinstance(record, type) and issubclass(record, msgspec.Struct)
    ]
    fields = {name for record in records for name in record.__struct_fields__}
    return frozenset({str(kind) for kind in kinds} | fields) - EVERYBODYS


def code_of(text: str) -> str:
    return _COMMENT.sub("", text)


def named_in(text: str) -> set[str]:
    code = code_of(text)
    strings = {word for found in _STRING.findall(code) for word in _WORD.findall("".join(found))}
    rest = _STRING.sub("''", code)
    return strings.union(_FIELD.findall(rest), *map(_MADE.findall, _TABLE.findall(rest)))


def branches_of(text: str) -> int:
    return len(_BRANCH.findall(_STRING.sub("''", code_of(text))))


def faults_of(scripts: dict[str, str]) -> list[str]:
    lines = {name: len(text.splitlines()) for name, text in scripts.items()}
    faults = [f"all have {sum(lines.values())} lines"] if sum(lines.values()) > ALL_LIMIT_LINES else []
    for name, text in scripts.items():
        if lines[name] > LIMIT_LINES:
            faults.append(f"{name} has {lines[name]} lines")
        if branches_of(text) > LIMIT_BRANCHES:
            faults.append(f"{name} has {branches_of(text)} branches")
        faults += [f"{name} names {word!r}" for word in sorted(named_in(text) & domain())]
    return faults


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_scripts_are_small_and_name_nothing_of_the_domain() -> None:
    assert SCRIPTS
    assert faults_of({path.name: text_of(path) for path in SCRIPTS}) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("local x = 1\n" * 121, "a has 121 lines"),
        ("if x then y() end\n" * 26, "a has 26 branches"),
        ("if e.want == x then\nend\n", "a names 'want'"),
        ("local e = {since_ms = 0}\n", "a names 'since_ms'"),
        ("return redis.call('HGET', KEYS[1], 'a:' .. x) == \"completed\"\n", "a names 'completed'"),
        ("local f = e.epoch -- of a job\n", "a names 'epoch'"),
    ],
)
def test_what_is_wrong_with_a_script_is_found(text: str, fault: str) -> None:
    assert faults_of({"a": text}) == [fault]


def test_comments_are_free_and_all_scripts_count_together() -> None:
    assert faults_of({"a": "local x = f(y) -- if a job is gone\n"}) == []
    assert faults_of(dict.fromkeys("abcdefg", "local x = f(y)\n" * 119)) == ["all have 833 lines"]
