import pytest

from tests.docs.fence import Fence, fences_of
from tests.docs.rules import faults_in, faults_of, json_matches, text_matches


def block(info: str, text: str = "x\n") -> Fence:
    (fence,) = fences_of(f"```{info}\n{text}```\n", "x.md")
    return fence


@pytest.mark.parametrize(
    ("info", "text", "fault"),
    [
        ("", "x\n", "language '' is none of"),
        ("sh", "x\n", "language 'sh' is none of"),
        ("bash backgroud", "x\n", "backgroud means nothing"),
        ("bash no-run=tired", "x\n", "'tired' is no reason"),
        ("bash proved-by=tests/nowhere.py::test_x", "x\n", "there is no test"),
        ("bash proved-by=tests/docs/test_rules.py::test_that_nobody_wrote", "x\n", "there is no test"),
        ("tsx", "x\n", "say why"),
        ("js", "x\n", "say with file="),
        ("text", "baton dev\n", "make it bash"),
        ("text", "$ anything\n", "make it bash"),
        ("text output", "…\n…\n", "show some of it"),
    ],
)
def test_a_block_without_a_clear_way_is_a_fault(info: str, text: str, fault: str) -> None:
    (found,) = faults_of(block(info, text))
    assert found.startswith("x.md:1: ")
    assert fault in found


@pytest.mark.parametrize(
    "info",
    [
        "bash",
        "python file=a.py",
        "json output",
        "bash no-run=takes-minutes",
        "tsx proved-by=tests/docs/test_rules.py::test_a_block_with_a_way_is_none",
        "mermaid",
        "text",
    ],
)
def test_a_block_with_a_way_is_none(info: str) -> None:
    assert faults_of(block(info)) == []


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("baton jobs show --colour", "--colour"),
        ("baton nothing", "'nothing'"),
        ("baton jobs nothing", "nothing"),
        ("make nothing", "there is no target nothing"),
        ("echo 'open", "unexpected EOF"),
    ],
)
def test_a_command_that_does_not_exist_is_a_fault(command: str, fault: str) -> None:
    """In a block that is not run: nobody else would notice."""
    found = faults_in(block("bash no-run=takes-minutes", f"{command}\n"))
    assert found
    assert fault in found[0]


def test_commands_with_their_options_are_none() -> None:
    text = (
        'BATON_URL=x baton jobs submit "$AGENT" a task \\\n  --priority 3  # first\nmake soak SECONDS=3\nls | wc -l\n'
    )
    assert faults_in(block("bash no-run=takes-minutes", text)) == []


PAGE = """
```bash background file=a.sh
run
```

1. in a list
   ```
   plain
   ```
"""


def test_a_block_has_its_language_its_words_and_its_line() -> None:
    """The language is the first word; the line is that of the backticks, from 1; `file=a.sh` is no word."""
    first, second = fences_of(PAGE, "x.md")
    assert (first.language, first.words, first.place) == ("bash", ("background", "file=a.sh"), "x.md:2")
    assert (first.text, first.option("file"), first.option("background")) == ("run\n", "a.sh", None)
    assert (first.has("background"), first.has("file")) == (True, False)
    assert (second.language, second.words, second.text) == ("", (), "plain\n")


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        ("a\nb\n", "a\nb", True),
        ("a … c", "a b\nb c", True),
        ("…end", "the end\n", True),
        ("end", "the end", False),
        ("a.c", "abc", False),
        ("", "something", False),
    ],
)
def test_a_text_fits_as_a_whole(shown: str, printed: str, fits: bool) -> None:
    """`…` is anything; nothing else is."""
    assert text_matches(shown, printed) is fits


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        ('{"a": 1}', '{"a": 1, "b": 2}', True),
        ('{"a": "…"}', '{"a": [1]}', True),
        ('{"a": "job_…"}', '{"a": "job_1"}', True),
        ('{"a": 1}', '{"a": 2}', False),
        ('{"a": 1}', "{}", False),
        ('[{"a": 1}]', '[{"a": 1}, {}]', False),
        ('{"a": 1}', "no JSON", False),
    ],
)
def test_json_fits_by_the_fields_that_are_shown(shown: str, printed: str, fits: bool) -> None:
    assert json_matches(shown, printed) is fits
