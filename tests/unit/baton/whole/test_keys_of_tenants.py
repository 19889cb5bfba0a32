"""Each key that is a tenant's has the tenant in it: the paths of two tenants fail as soon as one key has lost it."""

import inspect
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import pytest

from baton.store.records import objects
from baton.store.redis import keys, semaphore
from baton_events import ids
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.server.api.client import Api
from tests.unit.baton.whole import test_two_tenants as paths
from tests.unit.baton.whole.test_two_tenants import Path, api, model, played

__all__ = ["api", "model"]

# Whatever makes a key of a tenant → a path that would reach the other tenant without it.
KEYS: dict[Callable[..., Any], Path] = {
    ids.job_id_from_key: paths.steering,
    ids.chat_job_id: paths.chats,
    ids.named_job_id: paths.threads_of_ag_ui,
    ids.named_schedule_id: paths.schedules,
    ids.app_event_id: paths.events_that_start_jobs,
    ids.subject_digest: paths.persons,
    ids.once_name: paths.keys_of_one_job,
    ids.awaited_name: paths.events_of_jobs,
    ids.batch_lane: paths.batches_of_events,
    keys.stored_bytes_key: paths.quotas,
    keys.schedules_key: paths.quotas,
    keys.kept_events_key: paths.quotas,
    keys.model_cache_key: paths.cached_answers,
    keys.session_memory_key: paths.a_session_its_memory_and_a_search,
    keys.sessions_key: paths.created_sessions,
    keys.files_key: paths.files,
    semaphore.flow_of: paths.interrupting,
    semaphore.queue_of: paths.interrupting,
}
# Of places of objects, whose owners have the tenant, too; and what makes no key.
OTHERS = {objects.job_place, objects.session_place, objects.results_of}


def of_tenants(module: ModuleType) -> set[Callable[..., Any]]:
    functions = {
        each for each in vars(module).values() if inspect.isfunction(each) and each.__module__ == module.__name__
    }
    return {each for each in functions if "tenant" in inspect.signature(each).parameters}


def test_each_key_of_a_tenant_has_a_path() -> None:
    """Whoever makes one more names a path that fails without it."""
    assert set().union(*map(of_tenants, (ids, keys, semaphore, objects))) == KEYS.keys() | OTHERS
    assert objects.job_place("acme", "job_1") != objects.job_place("other", "job_1")
    assert objects.session_place("acme", "s") != objects.session_place("other", "s")


def lose_tenant(monkeypatch: pytest.MonkeyPatch, key: Callable[..., Any]) -> None:
    """Take the tenant out of a key, in the function itself: so for each module that has it, loaded or forgotten."""
    assert inspect.isfunction(key)
    signature = inspect.signature(key)
    whole = FunctionType(key.__code__, key.__globals__, key.__name__, key.__defaults__, key.__closure__)
    whole.__kwdefaults__ = key.__kwdefaults__

    def without(*args: Any, **named: Any) -> Any:
        bound = signature.bind(*args, **named)
        bound.arguments["tenant"] = "any"
        return whole(*bound.args, **bound.kwargs)

    def lost(*args: Any, **named: Any) -> Any:
        return globals()["key_without_tenant"](*args, **named)  # Those of the module that makes the key.

    monkeypatch.setitem(key.__globals__, "key_without_tenant", without)
    monkeypatch.setattr(key, "__defaults__", None)
    monkeypatch.setattr(key, "__kwdefaults__", None)
    monkeypatch.setattr(key, "__code__", lost.__code__)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.__name__)
async def test_a_key_that_has_lost_its_tenant_is_found(
    api: Api, model: Listening, key: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_tenant(monkeypatch, key)
    with pytest.raises((AssertionError, ValueError)):
        await played(api, model, KEYS[key])
