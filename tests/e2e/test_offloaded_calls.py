"""Model calls that the queue or the provider makes, on the real local stack: what they bill, and what a kill does."""

from collections.abc import Iterator

import pytest

from tests.e2e.dev_stack import DevStack, stacks, wait_for
from tests.e2e.slow_provider import SlowProvider

pytestmark = [pytest.mark.e2e, pytest.mark.long]

KEY = "sk-offloaded-0123456789abcdef"
# Of the time that ten calls take. A function that waits for one bills all of it; one that works beside all other tests
# bills the clock's time for what it does: for a look at a provider, seven in a minute, and for each event.
_MOST_BILLED = 0.5
SECONDS = 60


@pytest.fixture(scope="module")
def provider() -> Iterator[SlowProvider]:
    with SlowProvider() as made:
        yield made


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, provider: SlowProvider) -> Iterator[DevStack]:
    """A stack whose process has loaded the model's library."""
    openai = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": provider.url("/v1")}
    with stacks(tmp_path_factory.mktemp("offloaded")) as make:
        made = make("offloaded_agents", WORK_TIMEOUT_SECONDS="20", **openai).start()
        made.completed(made.submit("thinks", "think"))
        yield made


@pytest.mark.parametrize("agent", ["thinks", "thinks-there"])
def test_ten_calls_are_not_billed_for_the_time_that_they_take(
    stack: DevStack, provider: SlowProvider, agent: str
) -> None:
    """By the jobs' own ledgers: the function works while it publishes the request, and while it reads the answer.

    One job after another begins, since a process that works for several at a time bills each for the others' work.
    """
    provider.seconds, names = SECONDS, list[str]()
    asked = len(provider.asked)
    for _ in range(10):
        names.append(stack.submit(agent, "think"))
        wait_for(lambda: len(provider.asked) == asked + len(names), "the request")
    jobs = [stack.completed(name) for name in names]
    provider.seconds = 0
    assert [job["usage"]["modelCalls"] for job in jobs] == [1] * 10
    assert sum(job["usage"]["functionMs"] for job in jobs) <= _MOST_BILLED * 10 * SECONDS * 1000


def test_a_call_outlives_the_process_that_asked_and_its_key_is_kept_nowhere(
    stack: DevStack, provider: SlowProvider
) -> None:
    """Kill -9 while the model thinks; the provider is asked once a turn, and the first time it has too much to do."""
    provider.seconds, provider.refusals, asked = 3, 1, len(provider.asked)
    job_id = stack.submit("adds", "think")
    wait_for(lambda: len(provider.asked) == asked + 2, "the second attempt")
    old_pid = stack.kill("app")
    stack.wait_until_back("app", old_pid)
    job = stack.completed(job_id)
    assert (job["result"], [call["result"] for call in job["toolCalls"]]) == ({"answer": "Thought."}, [3])
    assert len(provider.asked) == asked + 3
    assert provider.keys == {f"Bearer {KEY}"}
    stored = [path for path in stack.folder.rglob("*") if path.is_file() and path.name != "dev.json"]
    assert stored
    assert KEY not in stack.output


def test_a_response_in_the_background_outlives_the_process_that_asked(stack: DevStack, provider: SlowProvider) -> None:
    """Kill -9 between two looks; the provider is asked once a turn."""
    provider.seconds, asked, looks = 4, len(provider.asked), provider.looks
    job_id = stack.submit("adds-there", "think")
    wait_for(lambda: provider.looks > looks, "the first look")
    stack.wait_until_back("app", stack.kill("app"))
    job = stack.completed(job_id)
    assert (job["result"], [call["result"] for call in job["toolCalls"]]) == ({"answer": "Thought."}, [3])
    assert len(provider.asked) == asked + 2
