"""`baton replay`: sends a message once more or, with `--offline`, plays a recorded job back with the code as it is now.

Offline it prints one line and ends with 0 where everything is decided as it was, or shows the first difference and
ends with 1. Then it must not ask a model, run a tool, or change the job: it asks the network for the recording alone.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path

import click

from baton.client.requests import in_path
from baton.sdk.agents.loader import RegistryNotLoadedError, load_registry
from baton.sdk.agents.registry import Registry
from baton.settings.settings import Settings, settings_from_environment
from baton_events.errors import SettingsError
from baton_local.cli.deployment import Deployment, deployment, naming_deployment
from baton_local.dev.stack_error import StackError
from baton_local.replay.recorded import ReplayError, file_text, read_recording
from baton_local.replay.replaying import replay_now


@click.command()
@click.argument("target", metavar="MESSAGE|JOB|FILE")
@click.option("--offline", is_flag=True, help="Use the recorded answers of models and tools; call nothing.")
@naming_deployment
@click.option("--app", metavar="MODULE:ATTR", help="Your own agents' registry, imported from the current folder.")
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Keep the recording.")
def replay(
    *, target: str, offline: bool, url: str | None, key: str | None, data: Path, app: str | None, save: Path | None
) -> None:
    """Replay a message, or what a job expects now; with --offline a whole job, up to the first difference.

    MESSAGE is the id of a message of the queue, JOB a job's id, FILE a recording that was saved with --save.
    """
    if not offline:
        _send(deployment(url, key, data), target)
        return
    path = Path(target)
    if path.is_file():
        text = file_text(path)
        recording = read_recording(text, str(path))
    else:
        if "/" in target or target.endswith(".json"):
            raise click.BadParameter(f"there is no file {target!r}", param_hint="MESSAGE|JOB|FILE")
        place = deployment(url, key, data)
        text = with_large_results(place, place.recording(target))
        recording = read_recording(text, f"job {target}")
    if save is not None:
        _save(save, text)
    found = replay_now(recording, registry_named(app))
    if found.difference is not None:
        print(found.difference)
        sys.exit(1)
    print(found.summary)


def _send(place: Deployment, target: str) -> None:
    """Replay over the API, with an admin key; report what was applied already, which is not sent."""
    checked = place.request("POST", f"/api/admin/messages/{in_path(target)}/replay")
    if (replayed := checked.get("driven")) is not None:
        print(f"{target}: {replayed} message(s) replayed" if replayed else f"{target}: expects nothing now")
        return
    if checked["sent"]:
        print(f"{target}: sent again")
        return
    print(f"{target}: not sent, since it is {checked['standing']}")
    if checked["expected"]:
        print(f"its job still expects {checked['expected']} step(s): baton replay {checked['jobId']}")


def with_large_results(place: Deployment, text: str) -> str:
    """Return a recording with the values of its large results, as far as they are kept."""
    if '"resultRef"' not in text:
        return text
    recording = json.loads(text)
    jobs = [recording["job"]]
    for job in jobs:
        for call in job["toolCalls"]:
            jobs += [call["child"]] if "child" in call else []
            if "resultRef" in call:
                with suppress(StackError):  # it is gone: what the model was given is there
                    call["resultRef"]["value"] = place.request("GET", call["resultRef"]["url"])["result"]
    return json.dumps(recording)


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReplayError(f"the recording cannot be saved: {error}") from error
    print(f"saved: {path}")


def registry_named(app: str | None) -> Registry:
    """Return the application that runs now. Raises ReplayError: it cannot be loaded."""
    sys.path.insert(0, str(Path.cwd()))  # as `baton dev` and uvicorn do
    try:
        return load_registry(app or _settings().app)
    except RegistryNotLoadedError as error:
        raise ReplayError(str(error)) from error


def _settings() -> Settings:
    try:
        return settings_from_environment()
    except SettingsError as error:
        raise ReplayError(str(error)) from error
