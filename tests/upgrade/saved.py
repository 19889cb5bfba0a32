"""A situation as it is kept: what was stored and in flight, what people did then, and how everything ended.

Invariant: a file is made by the version whose folder it is in, and never changed once that version is released. All
keys of a Redis are readable JSON: a text that is shown as JSON is written back as exactly the text that it was. Expiry
is kept as the time that was left. Must not: know what any key means.
"""

import json
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import httpx

from tests.upgrade.in_flight import Message
from tests.upgrade.installation import Request

Shown = Any
Keys = dict[str, dict[str, Any]]
Command = list[str | int]

_MINUTE_MS = 60_000
_READS: dict[str, list[str | int]] = {
    "string": ["GET", "{key}"],
    "hash": ["HGETALL", "{key}"],
    "list": ["LRANGE", "{key}", 0, -1],
    "zset": ["ZRANGE", "{key}", 0, -1, "WITHSCORES"],
    "stream": ["XRANGE", "{key}", "-", "+"],
}


class RawRedis:
    """Commands over the REST protocol, past the SDK and the product."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"})

    def run(self, commands: list[Command]) -> list[Any]:
        if not commands:
            return []
        answers = self._http.post("/pipeline", json=commands).json()
        assert isinstance(answers, list), answers
        assert all("result" in answer for answer in answers), answers
        return [answer["result"] for answer in answers]

    def close(self) -> None:
        self._http.close()


def shown(text: str) -> Shown:
    """A text as people read it: JSON where it is JSON as we write it, else the text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict | list) and written(value) == text else text


def written(value: Shown) -> str:
    """The text that is shown as `value`."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def saved_keys(redis: RawRedis) -> Keys:
    names = sorted(redis.run([["KEYS", "*"]])[0])
    kinds = redis.run([["TYPE", name] for name in names])
    expiries = redis.run([["PTTL", name] for name in names])
    reads = [
        [str(word).replace("{key}", name) if isinstance(word, str) else word for word in _READS[kind]]
        for name, kind in zip(names, kinds, strict=True)
    ]
    values = redis.run(reads)
    streams = [at for at, kind in enumerate(kinds) if kind == "stream"]
    for at, groups in zip(streams, redis.run([["XINFO", "GROUPS", names[at]] for at in streams]), strict=True):
        values[at] = (values[at], groups)
    found: Keys = {}
    for name, kind, left_ms, value in zip(names, kinds, expiries, values, strict=True):
        minutes = round(left_ms / _MINUTE_MS)  # what the making itself took is not worth a line
        expires = {"leftMs": minutes * _MINUTE_MS} if left_ms > 0 else {}
        found[name] = {"type": kind, **expires, "value": _value(kind, value)}
    return found


def _value(kind: str, value: Any) -> Any:
    match kind:
        case "string":
            return shown(value)
        case "hash":
            return {name: shown(text) for name, text in sorted(zip(value[::2], value[1::2], strict=True))}
        case "list":
            return [shown(text) for text in value]
        case "zset":
            return dict(zip(value[::2], map(float, value[1::2]), strict=True))
        case _:
            # An entry's id is the server's time: not worth a line, either. What a group has taken is kept as a number.
            rows, groups = value
            if rows and rows[0][1][0] == "p":  # parts of a job, which are numbered by the ids
                return {row[0]: [shown(text) for text in row[1][1::2]] for row in rows}
            entries = (dict(zip(row[1][::2], row[1][1::2], strict=True)) for row in rows)
            given = [dict(zip(group[::2], group[1::2], strict=True)) for group in groups]
            taken = {
                group["name"]: sum(_id(row[0]) <= _id(group["last-delivered-id"]) for row in rows) for group in given
            }
            return {"entries": list(entries), "taken": taken}


def texts_of(value: Any) -> list[Shown]:
    """All that a list has, or a job's parts in a stream."""
    return list(chain.from_iterable(value.values())) if isinstance(value, dict) else value


def _id(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("-")))


def load_keys(redis: RawRedis, keys: Keys) -> None:
    """Store exactly these keys, in place of all that was there."""
    commands: list[Command] = [["FLUSHALL"]]
    for name, key in keys.items():
        commands += _writes(name, key["type"], key["value"])
        if "leftMs" in key:
            commands.append(["PEXPIRE", name, key["leftMs"]])
    redis.run(commands)


def _writes(name: str, kind: str, value: Any) -> list[Command]:
    match kind:
        case "string":
            return [["SET", name, written(value)]]
        case "hash":
            return [["HSET", name, *(text for field, one in value.items() for text in (field, written(one)))]]
        case "list":
            return [["RPUSH", name, *map(written, value)]]
        case "zset":
            return [["ZADD", name, *(word for member, score in value.items() for word in (str(score), member))]]
        case _ if "entries" not in value:
            return [
                ["XADD", name, at, *(word for part in parts for word in ("p", written(part)))]
                for at, parts in value.items()
            ]
        case _:
            entries = [
                ["XADD", name, f"1800000000000-{number}", *(word for pair in fields.items() for word in pair)]
                for number, fields in enumerate(value["entries"], start=1)
            ]
            groups: list[Command] = [
                ["XGROUP", "CREATE", name, group, f"1800000000000-{taken}" if taken else "0", "MKSTREAM"]
                for group, taken in value["taken"].items()
            ]
            return [*entries, *groups]


CORPUS = Path(__file__).parent / "corpus"
CORPUS_OF_PYDANTIC_AI = Path(__file__).parent / "pydantic_ai" / "corpus"  # a folder for each version of that
_LINE_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Saved:
    """One situation.

    Attributes:
        about: in a line, what it is.
        now_ms: when it was saved.
        keys: all that was stored.
        messages: what was in flight.
        then: what people asked once that was delivered.
        ends: by job, how it ended, as the API says it.
        ran: the tools that ran from then on, each with its arguments and key, in their order of text.
    """

    about: str
    now_ms: int
    keys: Keys
    messages: tuple[Message, ...]
    then: tuple[Request, ...]
    ends: dict[str, Any] = field(default_factory=dict[str, Any])
    ran: list[list[Any]] = field(default_factory=list[list[Any]])

    @property
    def job_ids(self) -> list[str]:
        fields = (name for key, value in self.keys.items() if key.endswith(":state") for name in value["value"])
        return sorted(name.removeprefix("job:") for name in fields if name.startswith("job:"))

    def text(self) -> str:
        values = asdict(self)
        values["messages"] = [{**asdict(message), "body": shown(message.body)} for message in self.messages]
        return _lines(values, _LINE_DEPTH) + "\n"


def _lines(value: Any, depth: int, indent: str = "") -> str:
    """JSON with a line for each value down to this depth: one for each record."""
    if not depth or not value or not isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    inner = indent + " "
    if isinstance(value, dict):
        rows = [f"{inner}{json.dumps(name)}: {_lines(one, depth - 1, inner)}" for name, one in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    return "[\n" + ",\n".join(f"{inner}{_lines(one, depth - 1, inner)}" for one in value) + f"\n{indent}]"


def read(path: Path) -> Saved:
    values = json.loads(path.read_text())
    messages = tuple(Message(**{**each, "body": written(each["body"])}) for each in values["messages"])
    then = tuple(Request(**each) for each in values["then"])
    return Saved(**{**values, "messages": messages, "then": then})


def versions(corpus: Path = CORPUS) -> list[str]:
    return sorted((path.name for path in corpus.iterdir() if path.is_dir()), key=_numbers)


def situations(version: str, corpus: Path = CORPUS) -> list[Path]:
    return sorted((corpus / version).glob("*.json"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
