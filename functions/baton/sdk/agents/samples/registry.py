"""The agents that run when no application of your own is named (`BATON_APP`).

Add yours here: one file beside this one, one line below. Must not: do anything but list them.
"""

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry
from baton.sdk.agents.samples.job_types import code_generation, data_processing, simple_task
from baton.sdk.agents.samples.library_agents import (
    assistant,
    engineer,
    historian,
    library_tools,
    planner,
    report,
    research,
    supervisor,
)
from baton.sdk.models.model import Call
from baton.sdk.models.scripted import ScriptedModel

# Two turns with one call each, one with two calls at once, one of which fails, so that each of the four events is met;
# then the answer.
simple = Agent(
    name="simple",
    model=ScriptedModel(
        [
            [Call("list_files")],
            [Call("search_files", {"query": "lens", "limit": 3})],
            [Call("count_words", {"path": "fresnel-lens.md"}), Call("count_words", {"path": "nowhere.md"})],
            "Listed the library, searched it for 'lens', and counted the words of one file: there is no other.",
        ]
    ),
    tools=library_tools,
)

registry = Registry(
    agents=[
        research,
        simple,
        supervisor,
        historian,
        engineer,
        assistant,
        report,
        planner,
        simple_task,
        code_generation,
        data_processing,
    ]
)
