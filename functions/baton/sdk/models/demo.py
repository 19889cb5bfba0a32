"""A model without a provider: it answers from text files, memory and other agents, with the tools that it is given.

Invariant: deterministic and offline. Each answer follows from the request alone, and each quoted sentence is in what
was read. Must not: know files beforehand, or use an unknown tool that needs more than a task or a choice.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from baton.sdk.models.model import (
    Call,
    Message,
    ModelAnswer,
    ModelError,
    ModelMessage,
    ModelRequest,
    PastCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from baton.sdk.models.scripted import stream_text
from baton_events.ids import canonical_json

_T = TypeVar("_T")
_KNOWN = ("remember", "list_files", "search_files", "read_file", "count_words", "write_report", "recall")
_SMALL = (
    "about after and are but can did does for from had has have her him his how its let not off out say she that the"
    " their them then they this use used was were what when where which who whose why will with without you your"
)
_ORDER = re.compile(r"(?:please )?(?:remember|note)(?: that\b|:)?\s+(?P<what>.+)", re.IGNORECASE | re.DOTALL)
_MEMORY_LINE = re.compile(r"^- (\d{4}-\d\d-\d\d), (this|another) conversation: (.*(?:\n  .*)*)", re.MULTILINE)
_EXCHANGE, _SOURCE = re.compile(r"(?s)Asked: .*?\n\s*Answered: "), re.compile(r"\s*\[[^\]\n]*\]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"(]?[A-Z0-9])")
_MARKUP = re.compile(r"^\s*(?:[-*+>]\s+|\d+\.\s+)|[*_`]{1,3}", re.MULTILINE)
_FILES, _QUOTES, _WORDS, _ERROR_CHARS, _DEPTH = 3, 4, 5, 150, 8


class DemoModel:
    """Give it `list_files`, `search_files`, `read_file`, `remember` and the like, agents, or tools of a choice."""

    name = "demo"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Take the next step, or answer."""
        plan_tool = request.tools[0].name if request.step_tools else ""
        tools = {spec.name: spec for spec in request.step_tools or request.tools}
        known = _Known(request.messages, plan_tool)
        calls = [] if plan_tool in known.used else known.next_calls(tools)
        text = f"I use {', '.join(dict.fromkeys(call.tool for call in calls))}." if calls else known.answer(tools)
        if calls and plan_tool:
            steps = [
                {"name": f"step-{at}", "tool": each.tool, "arguments": each.arguments} for at, each in enumerate(calls)
            ]
            calls = [Call(plan_tool, {"steps": [{**step, "on_failure": "continue"} for step in steps]})]
        elif not calls and request.output is not None:
            if request.output.name in known.used:
                fault = f"the demo model has no other answer of the form that is asked for: {'; '.join(known.errors)}"
                raise ModelError(fault, retryable=False)
            text, calls = "", [Call(request.output.name, known.filled(request.output.parameters, text))]
        elif not calls and request.listener is not None:
            await stream_text(request.listener, text)
        parts = (getattr(message, part, "") for message in request.messages for part in ("text", "content"))
        read = " ".join([request.instructions, *map(str, parts)])
        return ModelAnswer(text, tuple(calls), len(read.split()), len(f"{text} {calls or ''}".split()))


class _Known:
    """What the messages tell at a turn: the question, what was read, what was remembered, what went wrong."""

    def __init__(self, messages: Sequence[Message], plan_tool: str) -> None:
        tasks = [at for at, one in enumerate(messages) if isinstance(one, UserMessage) and not one.note]
        task = messages[tasks[-1]] if tasks else UserMessage("")
        self.question = task.text.strip() if isinstance(task, UserMessage) else ""
        order = _ORDER.match(self.question)
        self.order = order["what"].strip() if order else ""
        words = (_stem(word) for word in _words_of(self.question) if word not in _SMALL.split())
        self.words = list(dict.fromkeys(word for word in words if word[2:] or word.isdigit()))[:_WORDS]
        self.used: set[str] = set()
        self.errors: list[str] = []
        self.results: dict[str, dict[str, Any]] = {}  # of each tool, by the first text that it was called with
        self.memory: dict[str, str] = {}
        for one in messages:
            if isinstance(one, UserMessage) and one.note:
                lines = _MEMORY_LINE.findall(one.text)
                self._remember((f"{which} conversation, {date}", text) for date, which, text in lines)
        start = tasks[-1] if tasks else 0
        self._remember(("this conversation", one.text) for one in messages[:start] if isinstance(one, ModelMessage))
        for tool, arguments, content, is_error in _results(messages[start:], plan_tool):
            self.used.add(tool)
            asked = next((value for value in arguments.values() if isinstance(value, str)), "")
            if is_error:
                text = content.get("message", content) if isinstance(content, Mapping) else content
                self.errors.append(f"{tool}: {' '.join(str(text).split())[:_ERROR_CHARS]}")
            else:
                self.results.setdefault(tool, {})["" if "task" in arguments else asked] = content
        recalled = (row for found in self.results.get("recall", {}).values() for row in _rows(found, "entries", "text"))
        self._remember((f"memory, {str(row.get('createdAt'))[:10]}", row["text"]) for row in recalled)
        texts = {path: _field(content, "text", str) for path, content in self.results.get("read_file", {}).items()}
        self.quotes = list(self._quotes({**self.memory, **texts}))
        self.sources = list(dict.fromkeys(where for where, _ in self.quotes))

    def _remember(self, entries: Iterable[tuple[str, str]]) -> None:
        for where, text in entries:
            answer = _SOURCE.sub("", _EXCHANGE.sub("", text)).strip()
            if answer and not answer.startswith("I will remember"):
                self.memory[where] = f"{self.memory.get(where, '')}\n\n{answer}"

    def _quotes(self, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield the sentences that answer, each after its source: those with most of the words, or near them."""
        scored: dict[tuple[str, str], float] = {}
        number = re.search(r"(?i)\b(when|how (?:high|many|much|far|long|old))\b", self.question)
        for where, text in texts.items():
            head = " ".join([where, *re.findall(r"(?m)^#.*", text)])
            for paragraph in re.split(r"\n\s*\n", re.sub(r"(?m)^[#\[].*", "", text)):
                for sentence in _SENTENCE_END.split(" ".join(_MARKUP.sub("", paragraph).split())):
                    inside, near = self._matches(sentence), self._matches(f"{head} {paragraph}")
                    if near and len(sentence.split()) > 4:  # noqa: PLR2004 - shorter ones are fragments
                        wanted = bool(number) and any(char.isdigit() for char in sentence)
                        scored[where, sentence] = (inside + near / 2) * (1 + wanted / 2)
        best = sorted(scored, key=lambda each: -scored[each])[:_QUOTES]
        yield from (each for each in scored if each in best and scored[each] * 2 >= scored[best[0]])

    def _matches(self, text: str) -> int:
        return sum(any(other.startswith(word) for other in _words_of(text)) for word in self.words)

    def next_calls(self, tools: Mapping[str, ToolSpec]) -> list[Call]:
        """Return the calls of the first step that is possible, useful and not done yet; none: answer."""
        for name in _KNOWN:
            if name in tools and name not in self.used and (asks := self._asks(name)):
                return [Call(name, _named(tools[name], arguments)) for arguments in asks]
        others = [spec for name, spec in tools.items() if name not in _KNOWN]
        return [] if self.used & {spec.name for spec in others} else list(self._by_form(others))

    def _asks(self, tool: str) -> list[dict[str, Any]]:
        """Return the arguments of each call of a known tool that is useful now."""
        files = [path for path in self.sources if path not in self.memory]
        findings = "\n\n".join(f"> {sentence}\n>\n> — {where}" for where, sentence in self.quotes)
        text = f"Question: {self.question}\n\n## What the files say\n\n{findings}"
        asks: dict[str, list[dict[str, Any]]] = {
            "remember": [{"text": self.order}] * bool(self.order),
            "list_files": [{}],
            "search_files": [{"query": word, "limit": 10} for word in self.words],
            "read_file": [{"path": path} for path in self._best_files()],
            "count_words": [{"path": path} for path in files],
            "write_report": [{"title": self.question[:80], "text": text, "sources": files}] * bool(self.quotes),
            "recall": [{"query": self.question}] * bool(self.words and not self.quotes and not self.order),
        }
        return asks[tool]

    def _best_files(self) -> list[str]:
        """Return the files with most hits of the rarest words, and after a failed search those that are there."""
        scores: dict[str, float] = {}
        for found in self.results.get("search_files", {}).values():
            counts = {path: count for path, count in _field(found, "files", dict).items() if isinstance(count, int)}
            for path, count in counts.items():
                scores[path] = scores.get(path, 0) + (1 + count / 10) / len(counts)
        rows = _rows(self.results.get("list_files", {}).get(""), "files", "path")
        others = [row["path"] for row in rows] if "search_files" not in self.results and self.words else []
        return sorted(scores, key=lambda path: (-scores[path], path))[:_FILES] or others[:_FILES]

    def _by_form(self, tools: Sequence[ToolSpec]) -> Iterator[Call]:
        """Yield the calls of other tools: those that need nothing, a choice that the question names, or a task."""
        agents = [spec.name for spec in tools if _needed(spec) == "task"]
        sentences = [part for part in re.split(r"(?<=[.!?])\s+", self.question) if part]
        for spec in tools:
            needed = _needed(spec)
            choices = spec.parameters.get("properties", {}).get(needed, {}).get("enum", ())
            if not spec.parameters.get("required"):
                yield Call(spec.name)
            elif needed == "task" and sentences:
                own = sentences[agents.index(spec.name) :: len(agents)] if len(sentences) >= len(agents) else sentences
                yield Call(spec.name, {"task": " ".join(own)})
            for choice in choices:
                words = _words_of(choice) if isinstance(choice, str) else []
                asked = _words_of(self.question)
                if words and all(any(other.startswith(word) for other in asked) for word in words):
                    yield Call(spec.name, {needed: choice})

    def answer(self, tools: Mapping[str, ToolSpec]) -> str:
        """Return the final answer: quotes with their sources, results of other tools, and what went wrong."""
        noted = [
            f"I will remember: {what} ({_field(found, 'note', str)})".replace(" ()", "")
            for what, found in self.results.get("remember", {}).items()
            if _field(found, "remembered", bool)
        ]
        found = [
            f"{tool} {asked}".strip() + f": {content if isinstance(content, str) else canonical_json(content)}"
            for tool, results in self.results.items()
            if tool not in _KNOWN
            for asked, content in results.items()
        ]
        quoted = [] if noted else [" ".join(f"{sentence} [{where}]" for where, sentence in self.quotes)]
        lines = [*noted, *filter(None, quoted), *found] or [self._nothing(tools)]
        counts = {path: _field(content, "words", int) for path, content in self.results.get("count_words", {}).items()}
        if counts:
            lines.append("Sources: " + ", ".join(f"{path} ({words} words)" for path, words in counts.items()) + ".")
        lines += [
            f"Report: {_field(content, 'path', str)}" for content in self.results.get("write_report", {}).values()
        ]
        lines += [f"Not everything worked; this rests on what did. {'; '.join(self.errors)}"] * bool(self.errors)
        return "\n\n".join(lines)

    def _nothing(self, tools: Mapping[str, ToolSpec]) -> str:
        about = ", ".join(self.words) or "nothing"
        if tools.keys() & {"search_files", "read_file"}:
            return f"I found nothing about {about} in the files."
        return f"I remember nothing about {about}." if "recall" in tools else f"I have no tool to look up {about}."

    def filled(self, schema: Mapping[str, Any], answer: str) -> dict[str, Any]:
        """Return an answer in the form of a schema: texts are the answer, lists of texts its sources."""
        made = _filled(schema, schema.get("$defs", {}), answer, self.sources)
        return made if isinstance(made, dict) else {}


def _results(messages: Sequence[Message], plan_tool: str) -> Iterator[tuple[str, Mapping[str, Any], Any, bool]]:
    """Yield each result: its tool, the call's arguments, its content, whether it is an error; a plan's one by one."""
    calls: dict[str, PastCall] = {}
    for message in messages:
        if isinstance(message, ModelMessage):
            calls |= {call.call_id: call for call in message.calls}
        elif isinstance(message, ToolMessage):
            arguments = calls[message.call_id].arguments if message.call_id in calls else {}
            if message.tool != plan_tool or message.is_error:
                yield message.tool, arguments, message.content, message.is_error
                continue
            for step in arguments.get("steps", ()):
                got = message.content.get(step["name"], {})
                yield step["tool"], step["arguments"], got.get("ok", got.get("error", {})), "ok" not in got


def _rows(content: Any, name: str, part: str) -> list[Mapping[str, Any]]:
    known = (row for row in _field(content, name, list) if isinstance(row, Mapping))
    return [row for row in known if isinstance(row.get(part), str)]


def _field(content: Any, name: str, kind: type[_T]) -> _T:
    """Return a field of a result, or the result itself, where it is of this kind; else an empty one."""
    found = content.get(name) if isinstance(content, Mapping) and name in content else content
    return found if isinstance(found, kind) else kind()


def _words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _stem(word: str) -> str:
    """Return a word without an ending that a text may lack: keepers, lenses."""
    return word[:-2] if word.endswith("nses") else word.removesuffix("s") if word[4:] and word[-2] not in "su" else word


def _needed(spec: ToolSpec) -> str:
    """Return the one argument that a tool needs; empty: it needs none, or several."""
    required = spec.parameters.get("required", [])
    return str(required[0]) if len(required) == 1 else ""


def _named(spec: ToolSpec, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that the tool takes, the first text under the name that it requires."""
    known = {name: value for name, value in wanted.items() if name in spec.parameters.get("properties", {})}
    missing = [name for name in spec.parameters.get("required", []) if name not in known]
    return {**known, **({missing[0]: next(iter(wanted.values()))} if missing and wanted else {})}


def _filled(
    schema: Mapping[str, Any], shared: Mapping[str, Any], answer: str, sources: Sequence[str], depth: int = 0
) -> Any:
    """Return the smallest value that fits a schema, but for texts, which are the answer."""
    for choices in (schema.get("anyOf"), schema.get("oneOf")):
        schema = next((each for each in choices if each.get("type") != "null"), {}) if choices else schema
    if "$ref" in schema:
        schema = shared.get(schema["$ref"].rsplit("/", 1)[-1], {})
    kind = schema.get("type") if depth < _DEPTH else None
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    if kind == "object":
        known = schema.get("properties", {})
        wanted = [name for name in schema.get("required", []) if name in known]
        return {name: _filled(known[name], shared, answer, sources, depth + 1) for name in wanted}
    if kind == "array":
        return list(sources) if schema.get("items", {}).get("type") == "string" else []
    simple = {"string": answer, "boolean": False, "integer": 0, "number": 0}
    return schema.get("minimum", simple[kind]) if kind in simple else None
