"""Docstrings of functions say what these do: they begin with a verb (PEP 257)."""

import ast
import re

from tests.architecture.source_files import FunctionNode, production_files

# What a translated sentence begins with instead. Names and code in backquotes are no verbs either.
NO_VERBS = re.compile(
    r"an?|all|another|any|as|at|both|but|by|each|either|every|everything|few|for|from|her|his|how|if|in|its?|less|many"
    r"|more|most|neither|no|nobody|none|not|nothing|of|on|once|one|only|or|other|same|some|somebody|such|that|the|their"
    r"|these|this|those|two|until|what|whatever|when|where|whether|which|who|whoever|whose|why|with|without"
    r"|(?!bring|string).+ing",
    re.IGNORECASE,
)
VALUES = ("property", "fixture")  # named for what they are


def begins_with_a_verb(docstring: str) -> bool:
    """Whether the first word may be one: what is certainly none counts."""
    first = docstring.split(maxsplit=1)[0].strip(",.:;")
    return re.fullmatch("[A-Z][a-z]+", first) is not None and NO_VERBS.fullmatch(first) is None


def _is_a_value(function: FunctionNode) -> bool:
    return any(value in ast.unparse(decorator) for decorator in function.decorator_list for value in VALUES)


def test_functions_say_what_they_do() -> None:
    wrong = [
        f"{file.name}:{function.lineno} {function.name}: {docstring.splitlines()[0]}"
        for file in production_files()
        for function in file.functions()
        if (docstring := ast.get_docstring(function)) and not _is_a_value(function)
        if not begins_with_a_verb(docstring)
    ]
    assert wrong == []


def test_a_phrase_without_a_verb_is_seen() -> None:
    assert [begins_with_a_verb(text) for text in ("Return it.", "Whether it is.", "The one.", "`x` as y.")] == [
        True,
        *[False] * 3,
    ]
