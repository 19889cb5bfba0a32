"""What a tool's arguments may be, and what its docstring and a sentence say of them."""

import contextlib
import datetime as dt
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from baton.sdk.tools.arguments import InvalidArguments
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.sentence import approval_sentence, call_summaries, question_summary, sentence, task_summary
from baton.sdk.tools.signature import Docstring, read_docstring
from baton.sdk.tools.tool import tool

CONTEXT = ToolContext.for_test()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


class Unit(Enum):
    KELVIN = "kelvin"


class Place(BaseModel):
    """An object within the arguments."""

    name: str
    since: dt.date | None = None


@tool
def measure(place: Place, count: int, unit: Unit = Unit.KELVIN, tags: tuple[str, ...] = ()) -> Any:
    """Measure."""
    return place, count, unit, tags


async def test_the_function_gets_python_values_and_its_own_defaults() -> None:
    """A check before it changes nothing."""
    sent = {"place": {"name": "Kew", "since": "2020-01-02"}, "count": "3"}
    measure.check(sent)
    assert sent == {"place": {"name": "Kew", "since": "2020-01-02"}, "count": "3"}
    expected = (Place(name="Kew", since=dt.date(2020, 1, 2)), 3, Unit.KELVIN, ())
    assert await measure.run(sent, CONTEXT) == expected


def test_all_faults_are_reported_at_once_one_line_each() -> None:
    given = {"place": {"since": "x" * 500}, "count": "many", "unit": "kelvin", "colour": 1, "tags": ["a", 2]}
    with pytest.raises(InvalidArguments) as caught:
        measure.check(given)
    assert caught.value.tool == "measure"
    assert str(caught.value).splitlines()[0] == "invalid arguments for tool 'measure':"
    lines = dict(line.split(": ", 1) for line in caught.value.faults)
    assert set(lines) == {"place.name", "place.since", "count", "tags[1]", "colour"}
    places = {("place", "name"), ("place", "since"), ("count",), ("tags", 1), ("colour",)}
    assert set(caught.value.places) == places
    assert lines["place.name"] == "is required"
    assert lines["count"].endswith("got 'many'")
    assert lines["colour"] == "is not an argument of this tool (it has: place, count, unit, tags), got 1"
    assert all(len(line) < 220 for line in caught.value.faults)
    with pytest.raises(InvalidArguments, match="arguments: must be an object"):
        measure.check([])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_what_json_cannot_hold_is_refused_and_left_out_of_the_schema() -> None:
    """Arguments are stored as JSON. There is no warning, since warnings at import annoy and cannot be acted on."""

    @tool
    def wait(seconds: float, flags: Any = object()) -> None:  # noqa: B008 - the default under test
        """Wait."""

    assert "default" not in wait.parameters["properties"]["flags"]
    for number in (float("nan"), "-inf"):
        with pytest.raises(InvalidArguments, match="seconds: input should be a finite number"):
            wait.check({"seconds": number})


async def test_any_argument_name_works() -> None:
    @tool
    def odd(schema: str, json: int, model_config: str, _private: str, a0: int = 7) -> Any:
        return schema, json, model_config, _private, a0

    arguments = {"schema": "s", "json": 1, "model_config": "m", "_private": "p"}
    assert await odd.run(arguments, CONTEXT) == ("s", 1, "m", "p", 7)
    assert await odd.run({**arguments, "a0": 8}, CONTEXT) == ("s", 1, "m", "p", 8)
    with pytest.raises(InvalidArguments, match="a1: is not an argument"):
        odd.check({**arguments, "a1": 1})


@given(JSON)
def test_any_json_is_either_checked_or_refused_readably(arguments: Any) -> None:
    """Nothing but `InvalidArguments` leaves a check."""
    with contextlib.suppress(InvalidArguments):
        measure.check(arguments)


def test_arguments_are_taken_out_of_the_description() -> None:
    """The model gets them with the arguments instead; other sections stay."""
    text = """Read a file.

    More about it.

    Args:
        path: the file,
            below the folder
        limit (int, optional): how much: at most

        ctx: the call

    Returns:
        Its text.
    """
    assert read_docstring(text) == Docstring(
        description="Read a file.\n\nMore about it.\n\nReturns:\n    Its text.",
        arguments={"path": "the file, below the folder", "limit": "how much: at most", "ctx": "the call"},
    )


@given(st.text(alphabet=st.sampled_from("ab:*() \n\tArgs"), max_size=200))
def test_no_text_is_an_error(text: str) -> None:
    read_docstring(text)
    read_docstring(f"Do.\n\nArgs:\n{text}")


@pytest.mark.parametrize("text", [None, "   \n "])
def test_a_tool_may_be_made_without_a_docstring(text: str | None) -> None:
    assert read_docstring(text) == Docstring()
    assert read_docstring("Read. Args: none.") == Docstring("Read. Args: none.")


def test_names_are_words_and_values_are_short() -> None:
    arguments = {
        "orderId": 1234,
        "to_whom": "A\nB " + "x" * 80,
        "isGift": True,
        "key": "[redacted]",
        "tags": [1, 2, 3, 4, 5],
        "a": {"b_c": None},
        "b": {"c": "y" * 59},
    }
    assert sentence("support", "refund", arguments) == (
        f"support wants to run refund: order id 1234, to whom A B {'x' * 55}…, is gift yes,"
        " tags [1, 2, 3, 4 and 1 more], a (b c none),"
        f" b (c {'y' * 57}…)"
    )
    assert sentence("a", "b", {}) == "a wants to run b"
    assert sentence("a", "b", {str(n): n for n in range(8)}).endswith("5 5, and 2 more")
    assert len(sentence("a", "b", {"x" * 500: 1})) == 300
    view = {"tool": None, "arguments": {"limit": "cost_usd", "value": 0.5}}
    assert approval_sentence("a", view) == "a wants to continue beyond its limit of 0.5 cost usd"
    asked = {"tool": "sew", "title": "Which\nshirt?", "arguments": {}, "form": {}}
    assert approval_sentence("a", asked) == "a asks: Which shirt?"
    used_up = {"tool": None, "title": "the budget 'k' of 0.50 USD is used up", "arguments": {"limit": "budget"}}
    assert approval_sentence("a", used_up) == "a wants to continue, and the budget 'k' of 0.50 USD is used up"


URL = "https://shop.example/api/v1/orders/"


@pytest.mark.parametrize(
    ("siblings", "summaries"),
    [
        ([], []),
        ([{}], [""]),
        ([{"shop": "north"}], ["north"]),
        ([{"orderId": 7, "amount": 5}], ["order id 7, amount 5"]),
        ([{"shop": "north", "day": "monday"}, {"shop": "south", "day": "monday"}], ["north", "south"]),
        ([{"n": n, "s": "same"} for n in range(3)], ["0", "1", "2"]),
        ([{"a": 1, "b": 1}, {"a": 2, "b": 2}], ["a 1, b 1", "a 2, b 2"]),
        ([{"a": 1}, {"a": 1}], ["1", "1"]),
        ([{"a": 1}, {"a": 1, "b": True}], ["", "yes"]),
        ([{"order": {"id": 1, "to": {"city": c}}} for c in ("Ulm", "Bonn")], ["Ulm", "Bonn"]),
        ([{"key": "[redacted]", "n": 1}, {"key": "x", "n": 1}], ["", "x"]),
        ([{"text": "one\n  two"}], ["one two"]),
        ([{"text": "x" * 200}], ["x" * 119 + "…"]),
    ],
)
def test_what_a_call_is_about_is_where_it_differs_from_its_siblings(
    siblings: list[dict[str, Any]], summaries: list[str]
) -> None:
    assert call_summaries(siblings) == summaries


def test_a_long_beginning_that_all_siblings_have_is_left_out() -> None:
    assert call_summaries([{"url": f"{URL}{n}"} for n in (17, 28)]) == ["…i/v1/orders/17", "…i/v1/orders/28"]
    assert call_summaries([{"url": URL}, {"url": f"{URL}1"}]) == ["…i/v1/orders/", "…i/v1/orders/1"]


@pytest.mark.parametrize(
    ("text", "data", "is_code", "summary"),
    [
        ("Look it\nup", {"a": "b"}, False, "Look it up"),
        ("", {"n": 1, "a": [{"b": " "}, {"b": "first"}], "c": 2}, False, "first"),
        ("", {"n": 1, "lines": [{"of": "lamp"}], "order": "B-12", "note": "soon"}, True, "B-12"),
        ("", {"n": 1, "shops": ["shop-0", "shop-1"]}, True, "shop-0"),
        ("Restock", {"n": 1, "shops": ["shop-0", "shop-1"]}, True, "Restock: shop-0"),
        ("Restock shop-0", {"n": 1, "shops": ["shop-0", "shop-1"]}, True, "Restock shop-0"),
        ("go", {"n": 1, "key": "[redacted]"}, True, "go"),
        ("", None, True, ""),
    ],
)
def test_what_a_job_is_about_is_its_task_and_of_code_the_first_text_of_its_input(
    text: str, data: Any, is_code: bool, summary: str
) -> None:
    assert task_summary(text, data, is_code=is_code) == summary


def test_what_a_question_is_about_is_its_words_or_the_call() -> None:
    assert question_summary("Send it?", "approval", {"a": 1}, has_form=True) == "Send it?"
    assert question_summary("Pay a clerk", "pay", {"euros": 5}, has_form=False) == "Pay a clerk: euros 5"
    assert question_summary("the limit turns=3 is reached", None, {"limit": "turns"}, has_form=False).startswith(
        "the limit"
    )


def test_a_tool_without_arguments_has_an_empty_object_as_schema() -> None:
    """Providers want an object there."""

    @tool
    def now() -> None:
        """Tell."""

    assert now.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    now.check({})
