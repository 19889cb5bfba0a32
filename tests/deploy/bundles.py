"""A bundle, made for this machine's processor and unpacked, with somebody's agents in them."""

import platform
import zipfile
from dataclasses import dataclass
from pathlib import Path

from baton_local.bundle.bundling import Archive, Bundling, Ingredients

ROOT = Path(__file__).parents[2]
APP = Path(__file__).with_name("app")
PLATFORM = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]


@dataclass(frozen=True)
class Bundle:
    """A bundle, and the folder that Lambda would make of it."""

    archive: Archive
    folder: Path


def made_bundle(work: Path, name: str, project: Path = ROOT, app: Path | None = APP) -> Bundle:
    archive = Bundling(project).make(name, Ingredients(PLATFORM, app=app), work)
    with zipfile.ZipFile(archive.path) as packed:
        packed.extractall(work / name)
        for entry in packed.infolist():
            (work / name / entry.filename).chmod(entry.external_attr >> 16)
    return Bundle(archive, work / name)
