"""How a block may be treated: run, written to a file, compared, or left alone for one of a few reasons.

Invariant: every block of a page has exactly one way, and what is not run says why, by one of REASONS or by the test
that runs the same (`proved-by=FILE::TEST`). Pure, but for looking up such a test in its file.
"""

import re

from tests.docs.fence import CTRL_C, ROOT, Fence
from tests.docs.shown import ANYTHING

# Why a block may not be run. Its `baton` and `make` commands must exist with these options all the same.
REASONS = {
    "needs-an-aws-account": "it changes an account of AWS",
    "needs-docker": "it needs Docker, or an account of another cloud",
    "needs-the-network": "it downloads something",
    "takes-minutes": "it runs everything",
}
RUN = {"bash", "python"}
DATA = {"json", "toml"}
WRITTEN = {"js", "html", "ini"}
SHOWN = {"text", "mermaid"}
FOREIGN = {"ts", "tsx"}  # of a reader's own project: never run here, so they need a reason
LANGUAGES = RUN | DATA | WRITTEN | SHOWN | FOREIGN
WORDS = {"background", "output", "fails"}
OPTIONS = {"file", "no-run", "proved-by"}
COMMAND = re.compile(r"^(\$ |(baton|make|curl|pip|python3?|uv|npm|git|cd|export) )", re.MULTILINE)


def excused(fence: Fence) -> bool:
    return fence.option("no-run") is not None or fence.option("proved-by") is not None


def faults_of(fence: Fence) -> list[str]:
    if fence.language == CTRL_C:
        return []
    found = [_language_fault(fence), _words_fault(fence), _reason_fault(fence), _proof_fault(fence), _way_fault(fence)]
    return [f"{fence.place}: {fault}" for fault in found if fault]


def _language_fault(fence: Fence) -> str:
    if fence.language in LANGUAGES:
        return ""
    return f"language {fence.language!r} is none of {', '.join(sorted(LANGUAGES))}"


def _words_fault(fence: Fence) -> str:
    unknown = [word for word in fence.words if word not in WORDS and word.partition("=")[0] not in OPTIONS]
    return f"{' '.join(unknown)} means nothing here" if unknown else ""


def _reason_fault(fence: Fence) -> str:
    reason = fence.option("no-run")
    if reason is None or reason in REASONS:
        return ""
    return f"{reason!r} is no reason; there are {', '.join(REASONS)}"


def _proof_fault(fence: Fence) -> str:
    proof = fence.option("proved-by")
    if proof is None:
        return ""
    file, _, test = proof.partition("::")
    path = ROOT / file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    exists = re.search(rf"^(async )?def {re.escape(test)}\(", text, re.MULTILINE)
    return "" if exists else f"there is no test {proof!r}"


def _way_fault(fence: Fence) -> str:
    if fence.language in FOREIGN and not excused(fence):
        return "it is not run: say why with no-run= or proved-by="
    if fence.language in WRITTEN and not excused(fence) and fence.option("file") is None:
        return "say with file= where it is written to, or why it is not run"
    if fence.has("output") and not fence.text.strip(f"{ANYTHING}\n "):
        return "it fits whatever is printed: show some of it"
    if fence.language == "text" and not fence.has("output") and COMMAND.search(fence.text):
        return "a command in a text block is not run: make it bash"
    return ""
