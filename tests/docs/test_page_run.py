import re
from collections.abc import Callable

import pytest

from tests.docs.fence import fences_of
from tests.docs.page_run import PageError, PageRun, as_in_makefile, on_free_ports
from tests.unit.baton_local.dev.test_supervisor import lives

NewPage = Callable[[], PageRun]


def follow(run: PageRun, page: str) -> None:
    for fence in fences_of(page, "x.md"):
        run.run(fence)


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("```bash\ntrue\nfalse | true\ntrue\n```\n", "x.md:1 failed"),
        ("```bash\necho $NOWHERE\n```\n", "NOWHERE: unbound variable"),
        ("```bash fails\ntrue\n```\n", "said to fail, and does not"),
        ("```bash\necho one\n```\n\n```text output\ntwo\n```\n", "x.md:5 shows\ntwo"),
        ("```bash\necho '{}'\n```\n\n```json output\n{\"a\": 1}\n```\n", "x.md:5 shows"),
        ("```python\nraise ValueError('broken')\n```\n", "ValueError: broken"),
        ("```python\nimport sys\nsys.exit(1)\n```\n", "ended Python"),
        ("```python file=a/b.py\nimport nothing_like_it\n```\n", "nothing_like_it"),
        ("```json\n{,}\n```\n", "x.md:1 cannot be read as json"),
        ("```toml file=a.toml\n[\n```\n", "x.md:1 cannot be read as toml"),
        ("```bash background\necho bye\n```\n", "did not get ready:\nbye"),
    ],
)
def test_a_block_that_does_not_do_what_the_page_says_fails_it(new_page: NewPage, page: str, shown: str) -> None:
    with pytest.raises(PageError, match=re.escape(shown)):
        follow(new_page(), page)


def test_blocks_of_a_page_build_on_each_other(new_page: NewPage) -> None:
    """One shell with its folder and variables, one namespace, files where the shell is."""
    follow(
        new_page(),
        """
```bash
mkdir own && cd own && NAME=lens
```

```python file=shop.py
PRICE = 310
```

```python
from shop import PRICE
```

```python
open("price.txt", "w").write(str(PRICE))
```

```bash
echo $NAME $(cat price.txt)
```

```text output
lens 310
```
""",
    )


def test_excused_blocks_are_left_alone(new_page: NewPage) -> None:
    """Whatever they would do."""
    follow(new_page(), "```bash no-run=takes-minutes\nfalse\n```\n\n```bash proved-by=x::y\nfalse\n```\n")


SERVER = """
```bash background
python -c "import os, time; print('listening on', os.getpid(), flush=True); time.sleep(600)"
```
"""


def test_what_runs_in_the_background_ends_when_it_is_started_again_and_with_its_page(new_page: NewPage) -> None:
    run = new_page()
    pids = []
    for _ in range(2):
        follow(run, SERVER)
        pids.append(int(run.printed.split()[-1]))
    assert not lives(pids[0])
    assert lives(pids[1])
    run.close()
    assert not lives(pids[1])


def test_ctrl_c_is_a_comment_that_ends_what_it_names(new_page: NewPage) -> None:
    """The first two words of the command; what does not run is a mistake of the page."""
    run = new_page()
    follow(run, SERVER)
    pid = int(run.printed.split()[-1])
    follow(run, "Press Ctrl-C.\n\n<!-- Ctrl-C: python -c -->\n")
    assert not lives(pid)
    with pytest.raises(KeyError):
        follow(run, "<!-- Ctrl-C: python -c -->\n")


def test_what_a_page_starts_receives_ctrl_c_wherever_the_tests_were_started(new_page: NewPage) -> None:
    """A shell's background job ignores SIGINT, and what it starts inherits that: tests/conftest.py sets it right."""
    run = new_page()
    follow(run, "```bash\npython -c 'import signal; print(signal.getsignal(signal.SIGINT).__name__)'\n```\n")
    assert run.printed.strip() == "default_int_handler"


def test_a_stack_of_a_page_keeps_off_the_usual_ports() -> None:
    """Unless the page names one; nothing else is changed."""
    assert on_free_ports("X=1 baton dev --app a:b") == "X=1 baton dev --port 0 --app a:b"
    assert on_free_ports("baton dev --port 7000") == "baton dev --port 7000"
    assert on_free_ports("baton redis") == "baton redis"


def test_make_is_what_the_makefile_says() -> None:
    assert as_in_makefile("make dev") == "baton dev"
    assert as_in_makefile("baton dev --port 0") == "baton dev --port 0"
    with pytest.raises(AssertionError, match="no target 'check'"):
        as_in_makefile("make check")
