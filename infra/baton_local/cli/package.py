"""`baton package`: makes the archives for AWS Lambda, and says how large they are."""

from pathlib import Path

import click

from baton_local.bundle.archive import Archive
from baton_local.bundle.bundling import BUNDLES, Bundling, Ingredients
from baton_local.bundle.lambda_platform import PLATFORMS, PYTHON_VERSION, UNPACKED_LIMIT_BYTES

ROOT = Path(__file__).parents[3]
_FOR = {"baton": "every function but agent-loop", "baton-models": "agent-loop, which calls models"}


@click.command()
@click.option("--platform", type=click.Choice(list(PLATFORMS)), default="arm64", show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("dist"),
    show_default=True,
    help="Where the archives go.",
)
@click.option(
    "--app",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The folder that your agents' package is in; libraries that it needs are named in its requirements.txt.",
)
@click.option("--extra", "extras", type=click.Choice(["otel", "sentry"]), multiple=True, help="Traces, error reports.")
def package(platform: str, out: Path, app: Path | None, extras: tuple[str, ...]) -> None:
    """Make the archives that are deployed, from uv.lock, without Docker."""
    bundling = Bundling(ROOT)
    print(f"Bundles for AWS Lambda (Python {PYTHON_VERSION}, {platform}), from uv.lock", flush=True)
    for name in BUNDLES:
        _show(bundling.make(name, Ingredients(platform, extras, app), out), _FOR[name])
    print("\nNext: npm ci, then npx osls deploy --stage dev (docs/deploying.md)")


def _show(made: Archive, what_for: str) -> None:
    share = 100 * made.unpacked_bytes / UNPACKED_LIMIT_BYTES
    print(f"\n{made.path}: {what_for}")
    print(f"  {_mb(made.packed_bytes)} packed, {_mb(made.unpacked_bytes)} unpacked ({share:.0f} % of Lambda's limit)")
    print(f"  sha256 {made.digest}", flush=True)


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f} MB"
