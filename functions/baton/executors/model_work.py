"""Executors of the agent loop alone: ask a job's model, remember a job that has ended."""

from collections.abc import Mapping

from baton.agents.conversing import Conversing
from baton.agents.hiding import Hiding
from baton.agents.model_turn import ModelTurn
from baton.agents.recalling import Recalling
from baton.agents.text_stream import Batching, TextStreams
from baton.container import Container
from baton.conversation.earlier import EarlierJobs
from baton.core.effects import CallModel, Effect, Remember
from baton.executors.bounded import bounded
from baton.memory.remember_job import RememberJob
from baton.runtime.pipeline import Executor


def model_work(container: Container) -> Mapping[type[Effect], Executor]:
    """Make them from the process's container."""
    ports, settings, secrets = container.ports, container.settings, container.secrets
    registry, memory, seconds = container.registry, container.memory, settings.work_timeout_seconds
    text_streams = TextStreams(ports.store, secrets, Batching(settings.stream_batch_ms, settings.stream_batch_bytes))
    model_turn = ModelTurn(registry, seconds, ports.model_cache, text_streams)
    conversing = Conversing(model_turn, registry, EarlierJobs(ports.listing, ports.reader, ports.store))
    return {
        CallModel: bounded(container, Hiding(Recalling(conversing, registry, memory), secrets)),
        Remember: RememberJob(memory, seconds, secrets.hide),
    }
