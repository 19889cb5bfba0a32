"""A model without a provider: it answers questions over a folder of text files with the tools it is given.

Invariant: deterministic and offline. Each answer follows from the request alone; the next step depends on the tools'
actual results, and every quoted sentence is in a file that was read. Must not: know the files beforehand.

It goes through fixed steps and skips those for which it has no tool or no reason. It stores what it should remember,
and delegates tasks to other agents. It lists the files, searches the question's words in parallel, and reads the best
files in parallel. It counts their words, writes a report, searches memory, and answers. Where plans are requested, it
plans independent steps together.
"""

from collections.abc import Mapping
from typing import Any

from baton.sdk.models.demo.moves import Step, output_arguments, plan_by_form, plan_call, unfolded
from baton.sdk.models.demo.notes import Notes, read_notes, to_remember
from baton.sdk.models.demo.relevance import Quote, best_quotes, rank_files, search_words
from baton.sdk.models.model import (
    Call,
    Message,
    ModelAnswer,
    ModelError,
    ModelMessage,
    ModelRequest,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from baton.sdk.models.scripted import stream_text

_FILES_READ = 3
_QUOTES = 4
_HITS_PER_SEARCH = 10
_MAX_TITLE_CHARS = 80
_FILES_NAMED = 12


class DemoModel:
    """Give it `list_files`, `search_files`, `read_file`, `count_words`, `write_report`, or some of these.

    It also uses `remember` and `recall`, other agents, and tools of yours that `models/demo/moves.py` can use.
    """

    name = "demo"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Take the next step, or answer."""
        plan_tool = request.tools[0].name if request.step_tools else ""
        notes = read_notes(tuple(unfolded(request.messages, plan_tool)) if plan_tool else request.messages)
        tools = {spec.name: spec for spec in request.step_tools or request.tools}
        step = _next_plan(notes, tools, plan_tool) if plan_tool else _next_step(notes, tools)
        if request.output is not None and not step.calls:
            step = _structured(step.text, notes, request.output)
        elif request.listener is not None and not step.calls:
            await stream_text(request.listener, step.text)
        return ModelAnswer(
            text=step.text,
            calls=step.calls,
            input_tokens=_count_words(request.instructions, *(_text_of(message) for message in request.messages)),
            output_tokens=_count_words(step.text, *(repr(call.arguments) for call in step.calls)),
        )


def _next_step(notes: Notes, tools: Mapping[str, ToolSpec]) -> Step:
    """Return the first step that is possible, useful and not done yet."""
    for tool, plan in _STEPS.items():
        if tool in tools and tool not in notes.used:
            step = plan(notes, tools[tool])
            if step.calls:
                return step
    others = [spec for name, spec in tools.items() if name not in _STEPS]
    step = plan_by_form(notes.question, others)
    if step.calls and not notes.used & {spec.name for spec in others}:
        return step
    return Step(_final_answer(notes, tools))


def _next_plan(notes: Notes, tools: Mapping[str, ToolSpec], plan_tool: str) -> Step:
    """Return the next steps that can be taken together; after a refused plan there are none."""
    if plan_tool in notes.used:
        return Step(_final_answer(notes, tools))
    steps: list[Step] = []
    for stage in _STAGES:
        possible = [tool for tool in stage if tool in tools and tool not in notes.used]
        steps = steps or [step for step in (_STEPS[tool](notes, tools[tool]) for tool in possible) if step.calls]
    step = _next_step(notes, tools)
    if not steps and not step.calls:
        return step
    taken = steps or [step]
    calls = [call for step in taken for call in step.calls]
    return Step(" ".join(step.text for step in taken), (plan_call(plan_tool, calls),))


def _structured(answer: str, notes: Notes, output: ToolSpec) -> Step:
    """Return the answer in the requested form; a form that was refused once is not tried again."""
    if output.name in notes.used:
        found_texts = notes.errors[-1] if notes.errors else "it was refused"
        raise ModelError(
            f"the demo model has no other answer of the form that is asked for: {found_texts}", retryable=False
        )
    return Step("", (Call(output.name, output_arguments(output.parameters, answer, _sources(_quotes(notes)))),))


def _plan_remembering(notes: Notes, spec: ToolSpec) -> Step:
    what = to_remember(notes.question)
    return Step("I keep that.", (Call(spec.name, _arguments(spec, text=what)),) if what else ())


def _plan_recalling(notes: Notes, spec: ToolSpec) -> Step:
    if to_remember(notes.question) or not search_words(notes.question) or _quotes(notes):
        return Step("")
    return Step("I look into what I remember.", (Call(spec.name, _arguments(spec, query=notes.question)),))


def _plan_listing(_notes: Notes, spec: ToolSpec) -> Step:
    return Step("I look at which files there are.", (Call(spec.name),))


def _plan_search(notes: Notes, spec: ToolSpec) -> Step:
    words = search_words(notes.question)
    calls = tuple(Call(spec.name, _arguments(spec, query=word, limit=_HITS_PER_SEARCH)) for word in words)
    return Step(f"I search the files for: {', '.join(words)}.", calls)


def _plan_reading(notes: Notes, spec: ToolSpec) -> Step:
    paths = _files_to_read(notes)
    return Step(f"I read {_listed(paths)}.", tuple(Call(spec.name, _arguments(spec, path=path)) for path in paths))


def _plan_counting(notes: Notes, spec: ToolSpec) -> Step:
    paths = [path for path in _sources(_quotes(notes)) if path not in notes.remembered]
    calls = tuple(Call(spec.name, _arguments(spec, path=path)) for path in paths)
    return Step(f"I found answers in {_listed(paths)} and count how much text that is.", calls)


def _plan_report(notes: Notes, spec: ToolSpec) -> Step:
    quotes = _quotes(notes)
    if not quotes:
        return Step("")
    findings = "\n\n".join(f"> {quote.sentence}\n>\n> — {quote.path}" for quote in quotes)
    text = f"Question: {notes.question}\n\n## What the files say\n\n{findings}"
    arguments = _arguments(spec, title=_title(notes.question), text=text, sources=_sources(quotes))
    return Step("I write a report with the sources.", (Call(spec.name, arguments),))


_STEPS = {
    "remember": _plan_remembering,
    "list_files": _plan_listing,
    "search_files": _plan_search,
    "read_file": _plan_reading,
    "count_words": _plan_counting,
    "write_report": _plan_report,
    "recall": _plan_recalling,
}
# Those of one stage do not need each other's results.
_STAGES = (("list_files", "search_files"), ("read_file",), ("count_words", "write_report"))


def _files_to_read(notes: Notes) -> list[str]:
    """Return the files with the best hits; without a successful search, those with a fitting name, or the first."""
    words = search_words(notes.question)
    if not words:
        return []
    ranked = rank_files(words, notes.hits, notes.files)
    if not ranked and not notes.hits:
        ranked = notes.files
    return ranked[:_FILES_READ]


def _quotes(notes: Notes) -> list[Quote]:
    """Return the sentences to answer with: from the files read, or the lines of searches, and from memory."""
    texts = notes.texts or {path: "\n\n".join(lines) for path, lines in notes.lines.items()}
    return best_quotes(notes.question, {**notes.remembered, **texts}, _QUOTES)


def _final_answer(notes: Notes, tools: Mapping[str, ToolSpec]) -> str:
    quotes = [] if notes.noted else _quotes(notes)
    quoted = " ".join(f"{quote.sentence} [{quote.path}]" for quote in quotes)
    paragraphs = [quoted or notes.noted or _no_answer(notes, tools)] if quoted or not notes.found_texts else []
    paragraphs += [f"{who}: {what}" for who, what in notes.found_texts]
    if quotes and notes.word_counts:
        counted = [(path, notes.word_counts[path]) for path in _sources(quotes) if path in notes.word_counts]
        paragraphs.append("Sources: " + ", ".join(f"{path} ({words} words)" for path, words in counted) + ".")
    if notes.report:
        paragraphs.append(f"Report: {notes.report}")
    if notes.errors:
        paragraphs.append(f"Not everything worked; this rests on what did. {'; '.join(notes.errors)}")
    return "\n\n".join(paragraphs)


def _no_answer(notes: Notes, tools: Mapping[str, ToolSpec]) -> str:
    words = search_words(notes.question)
    files = f" The files are: {_listed(notes.files[:_FILES_NAMED])}." if notes.files else ""
    if not words:
        return f"There is no question to look up; ask about something that the files may say.{files}"
    if not tools.keys() & {"search_files", "read_file"} and "recall" in tools:
        return f"I remember nothing about {', '.join(words)}."
    if not tools.keys() & {"search_files", "read_file"}:
        known = "I have no tool that this model knows how to use" if tools else "I was given no tool"
        return f"{known}, so I cannot look up {', '.join(words)}.{files}"
    return f"I found nothing about {', '.join(words)} in the files.{files}"


def _arguments(spec: ToolSpec, **wanted: Any) -> dict[str, Any]:
    """Name the arguments as the tool does, and leave out those that it does not take.

    A tool with another name for its first text (`file` for `path`, say) gets the text under that name.
    """
    known = spec.parameters.get("properties", {})
    arguments = {name: value for name, value in wanted.items() if name in known}
    first = next(iter(wanted))
    required = [name for name in spec.parameters.get("required", []) if name not in arguments]
    if first not in arguments and required:
        arguments = {required[0]: wanted[first], **arguments}
    return arguments


def _sources(quotes: list[Quote]) -> list[str]:
    return list(dict.fromkeys(quote.path for quote in quotes))


def _listed(paths: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(paths[:-1]), paths[-1]])) if paths else "no file"


def _title(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= _MAX_TITLE_CHARS else f"{line[: _MAX_TITLE_CHARS - 1].rstrip()}…"


def _text_of(message: Message) -> str:
    match message:
        case UserMessage(text=text):
            return text
        case ModelMessage(text=text, calls=calls):
            return " ".join([text, *(repr(call.arguments) for call in calls)])
        case ToolMessage(content=content):
            return content if isinstance(content, str) else repr(content)


def _count_words(*texts: str) -> int:
    """Estimate the number of tokens without a tokenizer."""
    return sum(len(text.split()) for text in texts)
