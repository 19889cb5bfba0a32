"""What an operator sets, types and pays: `.env.example`, settings, `baton --help`, costs; and the stand-ins' tables.

What has a default is commented out in `.env.example`: the file as it stands changes nothing. Invariant: what the
stand-ins emulate is read from the tables that the contract tests run, so that a row is there only with its test. Prices
are those of `baton.settings.service_prices`, and use is what its ledger and the meters said
(`tests/e2e/test_costs.py` holds it); what is assumed is named here and stated on the page.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import click
from msgspec.structs import fields

from baton.settings.limits import LIMITS
from baton.settings.service_prices import LIST, LIST_PRICES, Paid, cost_of
from baton.settings.table import ALL_SETTINGS, API, OF_OTHERS, SETTINGS, WEBHOOKS
from baton_events.setting import EVERYWHERE, Setting
from baton_local.cli.main import main
from tests.contract.coverage.differences import DIFFERENCES
from tests.contract.coverage.javascript_surface import javascript_methods
from tests.contract.coverage.not_emulated import NOT_EMULATED, left_out
from tests.contract.coverage.surface import python_methods, synchronous
from tests.docs.generated.markdown import markdown_list, markdown_table

# Assumed: how long functions wait for models and tools. Turns and calls are those of the typical job.
MODEL_SECONDS, TOOL_SECONDS = 2.0, 0.2
TURNS, CALLS = 6, 5
_OWN_SECONDS = 0.2
_FUNCTION_MB = 1024
_MB_MS = int(_FUNCTION_MB * 1000 * (TURNS * MODEL_SECONDS + CALLS * TOOL_SECONDS + _OWN_SECONDS))

# Five tool calls one after another, with its backup message a minute later; by CONTINUATION.
TYPICAL: Mapping[str, Paid] = {
    "inline": Paid(messages=2, deliveries=2, commands=93, size_bytes=46_200, mb_ms=_MB_MS, model_usd=0.0),
    "queue": Paid(messages=12, deliveries=12, commands=128, size_bytes=50_800, mb_ms=_MB_MS, model_usd=0.0),
}
# A sweep of an idle deployment: each hour; while jobs hold slots each minute, where it also looks at those.
SWEEP = Paid(messages=1, deliveries=1, commands=10, size_bytes=900, mb_ms=512 * 50, model_usd=0.0)
_HOURS, _MINUTES = 730, 730 * 60
MONTHLY = (0, 1_000, 1_000_000, 100_000_000)
# From so many jobs a month on there is always one at work.
_BUSY_FROM = 1_000_000
_WHOLE_FROM, _CENTS_FROM = 10.0, 0.05


def job_table() -> str:
    """Return what one typical job uses, and what that costs."""
    rows = (
        [
            f"`{mode}`",
            *(f"{number:,}" for number in (used.messages, used.deliveries, used.commands, used.size_bytes)),
            f"{used.mb_ms / 1024 / 1000:.1f}",
            *_dollars(cost_of(used, LIST_PRICES)),
        ]
        for mode, used in TYPICAL.items()
    )
    head = ["CONTINUATION", "messages", "deliveries", "Redis commands", "bytes", "GB-seconds"]
    return markdown_table([*head, "queue $", "Redis $", "functions $", "together $"], rows)


def month_table() -> str:
    """Return what a month costs, with jobs that continue in place."""
    return markdown_table(
        ["jobs a month", "queue $", "Redis $", "functions $", "together $"],
        ([f"{jobs:,}" if jobs else "none", *_dollars(cost_of(_month(jobs), LIST_PRICES))] for jobs in MONTHLY),
    )


def price_table() -> str:
    rows = (
        [f"`{price.field}`", price.per, f"{price.usd:.10f}".rstrip("0"), price.source, price.as_of] for price in LIST
    )
    return markdown_table(["in `PRICES`", "for a", "$", "read at", "as of"], rows)


def _month(jobs: int) -> Paid:
    sweeps = _MINUTES if jobs >= _BUSY_FROM else _HOURS
    inline = TYPICAL["inline"]
    return Paid(
        **{each.name: getattr(inline, each.name) * jobs + getattr(SWEEP, each.name) * sweeps for each in fields(Paid)}
    )


def _dollars(cost: Mapping[str, float]) -> list[str]:
    return [_shown(cost[name]) for name in ("queueUsd", "redisUsd", "functionsUsd", "totalUsd")]


def _shown(usd: float) -> str:
    """Format whole dollars, cents, or millionths."""
    if usd >= _WHOLE_FROM:
        return f"{usd:,.0f}"
    return f"{usd:.2f}" if usd >= _CENTS_FROM else f"{usd:.6f}".rstrip("0").rstrip(".")


_HEAD = """\
# Every setting of Baton. Copy this file to .env, fill in what is needed and what you want otherwise; `baton dev` needs
# none of it. `baton doctor --env-file .env` says what is wrong. Keep the file to yourself: it holds secrets.
# Generated from functions/baton/settings/table.py by `make docs`.
"""


def env_example() -> str:
    lines = [_HEAD]
    for setting in ALL_SETTINGS:
        alias = f"or {setting.alias}" if setting.alias else ""
        notes = ", ".join(filter(None, [setting.unit, "secret" * setting.secret, "needed" * setting.needed, alias]))
        assignment = f"#{setting.name}={setting.default}" if setting.default else f"{setting.name}="
        lines.append(f"# {setting.help}{notes and f' ({notes})'}\n{assignment}\n")
    return "\n".join(lines)


_READERS = (EVERYWHERE, WEBHOOKS, API)


def settings_table() -> str:
    """Return one row a setting, by who reads it; after those of Baton those that others have named."""
    ours = ((f"Read by {where}:", [each for each in SETTINGS if each.where == where]) for where in _READERS)
    tables = [*ours, ("Named by Lambda, Sentry and OpenTelemetry:", list(OF_OTHERS))]
    made = ((above, markdown_table(["variable", "default", "what"], map(_setting_row, rows))) for above, rows in tables)
    return "\n\n".join(f"{above}\n\n{table}" for above, table in made)


def _setting_row(setting: Setting) -> list[str]:
    unit = f"({setting.unit})" if setting.default and " " in setting.unit else setting.unit
    default = f"`{setting.default}` {unit}".strip() if setting.default else unit
    alias = f"; or by the name `{setting.alias}`" if setting.alias else ""
    what = "**needed:** " * setting.needed + setting.help + " (secret)" * setting.secret + alias
    return [f"`{setting.name}`", default, what]


def limits_table() -> str:
    """Return one row a limit, in the order of the code."""
    return markdown_table(["what", "at most", "beyond"], LIMITS)


# Options with the same help in so many commands stand in one table.
_SHARED_BY = 2
_WITH_URL = ("--key", "--data")
_Option = tuple[str, str]


def command_reference() -> str:
    """Return the options of several commands, then a section for each command that does something, by name."""
    contexts = list(_commands(main, "baton", None))
    shared = _shared(contexts)
    listed = markdown_list(sorted(shared))
    return "\n\n".join(["## Options of several commands", listed, *(_section(each, shared) for each in contexts)])


def _commands(command: click.Command, name: str, parent: click.Context | None) -> Iterable[click.Context]:
    context = click.Context(command, info_name=name, parent=parent)
    if not isinstance(command, click.Group):
        yield context
        return
    if command.invoke_without_command:
        yield context
    for each in command.list_commands(context):
        if (sub := command.get_command(context, each)) is not None:
            yield from _commands(sub, each, context)


def _shared(contexts: Iterable[click.Context]) -> set[_Option]:
    """Return one option of a name at most, the one that most commands have."""
    found: dict[str, _Option] = {}
    for option, uses in Counter(option for context in contexts for option in _options(context)).most_common():
        if uses >= _SHARED_BY:
            found.setdefault(option[0].split()[0], option)
    return set(found.values())


def _options(context: click.Context) -> list[_Option]:
    options = (param for param in context.command.params if isinstance(param, click.Option))
    records = filter(None, (option.get_help_record(context) for option in options))
    return [record for record in records if "--help" not in record[0]]


def _section(context: click.Context, shared: Collection[_Option]) -> str:
    usage = " ".join(context.command.collect_usage_pieces(context)).replace("[OPTIONS]", "").strip()
    heading = f"## `{f'{context.command_path} {usage}'.strip()}`"
    text = " ".join((context.command.help or "").split())
    options = _options(context)
    names = [option[0].split()[0] for option in options if option in shared]
    also = ", ".join(f"`{name}`" for name in names if "--url" not in names or name not in _WITH_URL)
    listed = markdown_list(option for option in options if option not in shared)
    return "\n\n".join(part for part in (heading, text, also and f"Shared: {also}.", listed) if part)


_REGISTRY = {True: "npm", False: "PyPI"}


def emulated_table() -> str:
    """Return one row a class of an SDK, with every method that has a passing test."""
    methods = python_methods(synchronous()) | javascript_methods()
    owners: dict[str, list[str]] = {}
    for method in sorted(methods - left_out(methods, NOT_EMULATED), key=_order):
        owner, _, name = method.rpartition(".")
        owners.setdefault(owner, []).append(name)
    return markdown_table(["SDK", "class", "methods", "which"], (_row(owner, names) for owner, names in owners.items()))


def not_emulated_table() -> str:
    rows = ([row.what, row.why, row.answer] for row in NOT_EMULATED)
    return markdown_table(["what", "why", "what is answered"], rows)


def differences_table() -> str:
    """Return one row a difference, in the order of the services."""
    rows = ([each.service, each.hosted, each.here, f"`{each.test.rpartition('::')[2]}`"] for each in DIFFERENCES)
    return markdown_table(["service", "hosted", "here", "held by"], rows)


def _order(method: str) -> tuple[str, bool, str]:
    """Return the place in the order: QStash, Redis, Vector; in each the Python SDK first."""
    package = method.partition(" ")[0]
    service = package.removeprefix("@upstash/").removeprefix("upstash-")
    return service, package.startswith("@"), method


def _row(owner: str, names: Iterable[str]) -> list[str]:
    package, _, name = owner.partition(" ")
    listed = list(names)
    return [
        f"`{package}` ({_REGISTRY[package.startswith('@')]})",
        f"`{name}`",
        str(len(listed)),
        f"`{' '.join(listed)}`",
    ]
