"""The two wheels, built with the installed backend: without a network."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def built_wheels(folder: Path) -> tuple[Path, Path]:
    """Build what production runs, and the command with the offline stack; both are in `folder` itself."""
    for source in (ROOT, ROOT / "infra"):
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
        subprocess.run(command, cwd=source, check=True, capture_output=True)
    (production,), (local,) = (tuple(folder.glob(f"{name}-*.whl")) for name in ("durable_baton", "durable_baton_local"))
    return production, local
