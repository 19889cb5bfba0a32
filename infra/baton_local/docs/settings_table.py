"""The table of settings in docs/reference/settings.md, from `baton.configuration.settings.SETTINGS`. Pure."""

from baton.configuration.setting_table import SETTINGS
from baton_events.setting import Setting
from baton_local.docs.markdown_table import markdown_table


def settings_table() -> str:
    """Return one row a setting, in the order of the code."""
    return markdown_table(["variable", "default", "unit", "what", "read by"], (_row(setting) for setting in SETTINGS))


def _row(setting: Setting) -> list[str]:
    default = f"`{setting.default}`" if setting.default else ""
    what = setting.help + (" (secret)" if setting.secret else "")
    where = f"{setting.where}: **needed**" if setting.needed else setting.where
    return [f"`{setting.name}`", default, setting.unit, what, where]
