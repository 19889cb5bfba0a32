"""`.env.example`, from `baton.configuration.settings.SETTINGS`: every setting, its meaning, unit and default. Pure.

What has a default is commented out: the file as it stands changes nothing.
"""

from baton.configuration.setting_table import SETTINGS
from baton_events.setting import Setting

HEAD = """\
# Every setting of Baton. Copy this file to .env, fill in what is needed and what you want otherwise; `baton dev` needs
# none of it. `baton doctor --env-file .env` says what is wrong. Keep the file to yourself: it holds secrets.
# Generated from functions/baton/configuration/setting_table.py by `make docs`.
"""


def env_example() -> str:
    """Return the whole file."""
    return "\n".join([HEAD, *(_lines(setting) for setting in SETTINGS)])


def _lines(setting: Setting) -> str:
    notes = ", ".join(filter(None, [setting.unit, "secret" * setting.secret, "needed" * setting.needed]))
    note = f" ({notes})" if notes else ""
    assignment = f"#{setting.name}={setting.default}" if setting.default else f"{setting.name}="
    return f"# {setting.help}{note}\n{assignment}\n"
