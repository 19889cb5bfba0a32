"""The agents that run when no application of your own is named (`BATON_APP`).

Add yours here: one file beside this one, one line below. Must not: do anything but list them.
"""

from baton.agents.agent import Agent
from baton.agents.registry import Registry
from baton.agents.samples.job_types import code_generation, data_processing, simple_task
from baton.agents.samples.library_agents import assistant, engineer, historian, library_tools, research, supervisor
from baton.agents.samples.plans import planner, report
from baton.models.model import Call
from baton.models.scripted import ScriptedModel

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
