"""The doors of Baton, each as a function that lets one drawn value through.

Invariant: a door lets a value in whole, or gives a failure that is recorded or answered.
"""

from collections.abc import Awaitable, Callable

from tests.values import clients, durations, providers, scripts, servers, steps
from tests.values.odd import Drawn

Door = Callable[[Drawn], Awaitable[None]]
DOORS: tuple[Door, ...] = (
    *(steps.a_result, steps.an_error, steps.a_tool_error, steps.a_wait, steps.a_report),
    *(
        steps.an_answer,
        steps.an_answer_of_a_runner,
        steps.an_output,
        steps.a_usage,
        steps.a_model_error,
        steps.an_event,
        steps.a_task_of_a_plan,
    ),
    *(providers.an_answer_of_a_server, providers.an_answer_to_a_library, clients.an_outcome, clients.a_body),
    *(scripts.a_script, scripts.an_answer_in_words, servers.an_odd_result_of_mcp),
    *(durations.a_duration, durations.an_endless_result),
)
# Each value takes a connection.
SERVERS: tuple[Door, ...] = (servers.a_result_of_mcp, servers.a_list_of_mcp, servers.a_page)
