"""Which page has which generated parts: explicit lines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from baton_local.docs.command_reference import command_reference
from baton_local.docs.cost_table import job_table, month_table, price_table
from baton_local.docs.endpoint_table import body_tables, endpoint_table
from baton_local.docs.env_example import env_example
from baton_local.docs.event_fields import event_fields, fact_fields, payload_fields
from baton_local.docs.event_path import event_path
from baton_local.docs.event_table import event_table
from baton_local.docs.glossary import glossary
from baton_local.docs.house import house
from baton_local.docs.marked_block import replace_block
from baton_local.docs.python_reference import baton_names, baton_tools_names, fixture_table
from baton_local.docs.settings_table import settings_table
from baton_local.docs.stand_in_tables import differences_table, emulated_table, not_emulated_table
from baton_local.docs.state_diagrams import call_diagram, job_diagram

ROOT = Path(__file__).resolve().parents[3]

BLOCKS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "docs/reference/cli.md": {"commands": command_reference},
    "docs/reference/python.md": {
        "baton": baton_names,
        "baton-tools": baton_tools_names,
        "fixtures": fixture_table,
    },
    "docs/reference/http.md": {"endpoints": endpoint_table, "bodies": body_tables},
    "docs/reference/events.md": {
        "events": event_table,
        "fields": event_fields,
        "payloads": payload_fields,
        "facts": fact_fields,
    },
    "docs/reference/settings.md": {"settings": settings_table},
    "infra/README.md": {
        "emulated": emulated_table,
        "not-emulated": not_emulated_table,
        "differences": differences_table,
    },
    "docs/operations.md": {"job-cost": job_table, "month-cost": month_table, "prices": price_table},
    "docs/architecture.md": {"house": house, "path": event_path},
    "docs/glossary.md": {"terms": glossary},
    "docs/states.md": {"job": job_diagram, "call": call_diagram},
}
WHOLE_FILES: Mapping[str, Callable[[], str]] = {".env.example": env_example}


@dataclass(frozen=True)
class Page:
    """A file, as it is and as it should be."""

    path: Path
    is_now: str
    should_be: str

    @property
    def stale(self) -> bool:
        """Whether the code has changed since the page was written."""
        return self.is_now != self.should_be


def pages(root: Path = ROOT) -> list[Page]:
    """Return all pages with generated parts."""
    found = []
    for name, blocks in BLOCKS.items():
        is_now = should_be = (root / name).read_text(encoding="utf-8")
        for block, generate in blocks.items():
            should_be = replace_block(should_be, block, generate())
        found.append(Page(root / name, is_now, should_be))
    for name, generate in WHOLE_FILES.items():
        path = root / name
        is_now = path.read_text(encoding="utf-8") if path.exists() else ""
        found.append(Page(path, is_now, generate()))
    return found
