"""`.env.example`, from `events.settings.SETTINGS`: every setting, its meaning, unit and default. Pure.

What has a default is commented out: the file as it stands changes nothing.
"""

from events.setting_table import SETTINGS, Setting

HEAD = """\
# Every setting of Baton. Copy this file to .env and fill in what you need; `baton dev` needs none of it.
# Generated from events/setting_table.py by `make docs`.
"""


def env_example() -> str:
    """Return the whole file."""
    return "\n".join([HEAD, *(_lines(setting) for setting in SETTINGS)])


def _lines(setting: Setting) -> str:
    unit = f" ({setting.unit})" if setting.unit else ""
    assignment = f"#{setting.name}={setting.default}" if setting.default else f"{setting.name}="
    return f"# {setting.help}{unit}\n{assignment}\n"
