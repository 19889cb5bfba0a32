from tests.docs.fence import fences_of

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
    """The language is the first word; the line is that of the backticks, from 1."""
    first, second = fences_of(PAGE, "x.md")
    assert (first.language, first.words, first.text, first.place) == (
        "bash",
        ("background", "file=a.sh"),
        "run\n",
        "x.md:2",
    )
    assert (second.language, second.words, second.text) == ("", (), "plain\n")


def test_words_and_options_are_distinguished() -> None:
    """`file=a.sh` is no word, `background` no option."""
    (fence, _) = fences_of(PAGE, "x.md")
    assert fence.has("background")
    assert not fence.has("file")
    assert fence.option("file") == "a.sh"
    assert fence.option("background") is None
