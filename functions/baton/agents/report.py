"""A sample agent without a model: a fixed plan that reads two files of the library at once and reports on them.

Invariant: works offline, and does the same each time. To make it yours, change the steps; which tool runs when follows
from what each step depends on.
"""

from baton.agents.agent import Agent
from baton.agents.research import library_tools
from baton.planning.reference import result_of
from baton.planning.step import Step
from baton.tools.tool import tool

_library = {item.name: item for item in library_tools}
_FIRST = result_of("files")["files"][0]["path"]
_SECOND = result_of("files")["files"][1]["path"]


@tool(retries=0)
def overview(texts: list[str], words: list[int]) -> str:
    """Write an overview of texts: the title and the first paragraph of each.

    Args:
        texts: the texts, each with its title in the first line.
        words: how many words each has.
    """
    parts = [text.split("\n\n") for text in texts]
    shown = [f"## {part[0].lstrip('# ')}\n\n{part[1] if len(part) > 1 else ''}" for part in parts]
    return "\n\n".join([f"{len(texts)} texts with {sum(words)} words.", *shown])


report = Agent(
    name="report",
    description="Reports on the first two files of the library.",
    plan=[
        Step("files", _library["list_files"]),
        Step("first", _library["read_file"], {"path": _FIRST}, depends_on=["files"]),
        Step("second", _library["read_file"], {"path": _SECOND}, depends_on=["files"]),
        Step("count-first", _library["count_words"], {"path": _FIRST}, depends_on=["files"]),
        Step("count-second", _library["count_words"], {"path": _SECOND}, depends_on=["files"]),
        Step(
            "overview",
            overview,
            {
                "texts": [result_of("first"), result_of("second")],
                "words": [result_of("count-first")["words"], result_of("count-second")["words"]],
            },
            depends_on=["first", "second", "count-first", "count-second"],
        ),
        Step(
            "report",
            _library["write_report"],
            {"title": "The first two texts", "text": result_of("overview"), "sources": [_FIRST, _SECOND]},
            depends_on=["overview", "files"],
        ),
    ],
)
