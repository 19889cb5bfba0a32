"""One page, run block by block in an empty folder, as a reader would copy it.

`bash` blocks share one shell, `python` blocks one namespace; a block with `file=` is written there (and imported, where
it is Python). `background` blocks stay, as in a second terminal, until the same command is started again or the page
is over. An `output` block is what the block before it prints. A failure names page and line. Nothing that a page
starts survives it.
"""

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.docs.fence import CTRL_C, ROOT, Fence
from tests.docs.rules import excused, json_matches, text_matches

BLOCK_IS_OVER = "== block is over:"
# What our servers, Python's own and uvicorn print once they take requests.
READY = re.compile(r"Ready\.|listening on|Serving HTTP on|Uvicorn running on|Application startup complete")
LONGEST_SHOWN = 4000
QUIET_SECONDS = 0.2


PATIENCE_SECONDS = 300.0
END_SECONDS = 60.0


class Child:
    """A process that is asked line by line, with a limit on each answer."""

    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._input, self._output = self.process.stdin, self.process.stdout
        self.printed = ""

    def send(self, line: str) -> None:
        """Give it a line; one that has ended takes none, and its output says why."""
        with contextlib.suppress(BrokenPipeError):
            self._input.write(f"{line}\n".encode())
            self._input.flush()

    def wait_for(self, found: Callable[[str], bool], patience_seconds: float = PATIENCE_SECONDS) -> bool:
        """Read until what was printed since the last `take` holds something; False if it ended or took too long."""
        give_up_at = time.monotonic() + patience_seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while not found(self.printed):
                if not selector.select(max(0.0, give_up_at - time.monotonic())):
                    return False
                piece = os.read(self._output.fileno(), 65536)
                if not piece:
                    return found(self.printed)
                self.printed += piece.decode(errors="replace")
        return True

    def take(self) -> str:
        printed, self.printed = self.printed, ""
        return printed

    def end(self) -> None:
        """Ask it to stop as Ctrl-C does, and kill what is left of its group."""
        if self.process.poll() is None:
            self._signal_group(signal.SIGINT)
            self._input.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._drain_until_end()
        self._signal_group(signal.SIGKILL)
        self.process.wait(END_SECONDS)
        for pipe in (self._input, self._output):
            with contextlib.suppress(OSError):
                pipe.close()

    def _drain_until_end(self) -> None:
        """Read on, so that a full pipe stops nobody from stopping."""
        self.wait_for(lambda _: False, END_SECONDS)
        self.process.wait(END_SECONDS)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class PageError(AssertionError):
    """A block did not do what its page says."""


class PageRun:
    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._scripts = folder / "scripts"
        self._home = folder / "home"
        for made in (self._scripts, self._home):
            made.mkdir()
        (self._home / ".venv").symlink_to(sys.prefix)
        self._folder = self._home
        self._env = {**env, "HOME": str(self._home), "CLONE": str(ROOT)}
        self._shell: Child | None = None
        self._python: Child | None = None
        self._background: dict[str, Child] = {}
        self.printed = ""

    def run(self, fence: Fence) -> None:
        if excused(fence):
            return
        if fence.has("output"):
            self._compare(fence)
        elif fence.option("file") is not None:
            self._write(fence)
        elif fence.language == CTRL_C:
            self._background.pop(" ".join(fence.words)).end()
        elif fence.language == "bash":
            self.printed = self._start(fence) if fence.has("background") else self._run_in_shell(fence)
        elif fence.language == "python":
            self.printed = self._run_in_python(fence)
        else:
            _check_data(fence, fence.text)

    def close(self) -> None:
        for child in (self._shell, self._python, *self._background.values()):
            if child is not None:
                child.end()

    def _compare(self, fence: Fence) -> None:
        fits = json_matches if fence.language == "json" else text_matches
        if not fits(fence.text, self.printed):
            raise PageError(
                f"{fence.place} shows\n{fence.text}\nbut this was printed:\n{self.printed[-LONGEST_SHOWN:]}"
            )

    def _write(self, fence: Fence) -> None:
        path = self._folder / (fence.option("file") or "")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fence.text, encoding="utf-8")
        if fence.language == "python":
            self._run_in_python(fence, str(path))
        else:
            _check_data(fence, fence.text)

    def _run_in_shell(self, fence: Fence) -> str:
        if self._shell is None:
            self._shell = Child(["bash", "--noprofile", "--norc"], self._home, self._env)
            self._shell.send("set -euo pipefail")
        script = self._scripts / f"{fence.line}.sh"
        script.write_text(fence.text, encoding="utf-8")
        before, after = ("set +e", "set -e") if fence.has("fails") else (":", ":")
        self._shell.send(f"{before}; source {script} </dev/null; CODE=$?; {after}")
        self._shell.send(f"printf '\\n{BLOCK_IS_OVER} %s %s\\n' $CODE \"$PWD\"")
        answered = self._shell.wait_for(lambda printed: re.search(rf"{BLOCK_IS_OVER}.*\n", printed) is not None)
        printed, _, rest = self._shell.take().partition(f"\n{BLOCK_IS_OVER} ")
        if not answered:
            raise PageError(f"{fence.place} failed, or took too long:\n{fence.text}\n{printed[-LONGEST_SHOWN:]}")
        code, _, folder = rest.strip().partition(" ")
        if fence.has("fails") and code == "0":
            raise PageError(f"{fence.place} is said to fail, and does not:\n{printed[-LONGEST_SHOWN:]}")
        self._folder = Path(folder)
        return printed

    def _start(self, fence: Fence) -> str:
        command = on_free_ports(as_in_makefile(fence.text.strip()))
        name = " ".join([word for word in command.split() if "=" not in word][:2])
        if name in self._background:
            self._background.pop(name).end()
        child = self._background[name] = Child(["bash", "-c", command], self._folder, self._env)
        if not child.wait_for(lambda printed: READY.search(printed) is not None):
            raise PageError(f"{fence.place} did not get ready:\n{child.printed[-LONGEST_SHOWN:]}")
        child.wait_for(lambda _: False, QUIET_SECONDS)  # what else it has to say
        return child.take()

    def _run_in_python(self, fence: Fence, file: str = "") -> str:
        if self._python is None:
            program = str(Path(__file__).with_name("page_python.py"))
            self._python = Child([sys.executable, program], self._home, self._env)
        request = {"folder": str(self._folder), "file": file, "text": fence.text, "place": fence.place}
        self._python.send(json.dumps(request))
        if not self._python.wait_for(lambda printed: printed.endswith("}\n")):
            raise PageError(f"{fence.place} ended Python, or took too long:\n{self._python.printed[-LONGEST_SHOWN:]}")
        answer = json.loads(self._python.take().splitlines()[-1])
        if answer["error"]:
            raise PageError(f"{fence.place} failed:\n{fence.text}\n{answer['error']}")
        return str(answer["printed"])


def as_in_makefile(command: str) -> str:
    """What `make TARGET` does, where its recipe is one line; the page's folder has no Makefile."""
    target = re.fullmatch(r"make ([a-z-]+)", command)
    if target is None:
        return command
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(rf"^{target[1]}:.*\n\t@\$\(BIN\)/(.*?)( \$\(ARGS\))?$", makefile, re.MULTILINE)
    assert recipe is not None, f"the Makefile has no target {target[1]!r} of one line"
    return recipe[1]


def on_free_ports(command: str) -> str:
    """`baton dev` on ports of its own: else it takes the usual ones, for which other stacks of this machine compete."""
    return command.replace("baton dev", "baton dev --port 0") if "--port" not in command else command


def _check_data(fence: Fence, text: str) -> None:
    try:
        if fence.language == "json":
            json.loads(text)
        elif fence.language == "toml":
            tomllib.loads(text)
    except ValueError as error:
        raise PageError(f"{fence.place} cannot be read as {fence.language}: {error}") from error
