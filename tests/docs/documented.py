"""Which pages have blocks that are run: all that are written for readers of this version.

Left out: `docs/spec/`, which describes other people's protocols.
"""

from tests.docs.fence import ROOT

_FOLDERS = (
    ".",
    "docs",
    "docs/guides",
    "docs/reference",
    "docs/decisions",
    "infra",
    "infra/baton_local/qstash",
    "infra/baton_local/redis",
)
_OTHERS = ("tests/simulation/README.md",)


def documented_pages() -> list[str]:
    found = [path.relative_to(ROOT).as_posix() for folder in _FOLDERS for path in sorted((ROOT / folder).glob("*.md"))]
    return [*found, *_OTHERS]
