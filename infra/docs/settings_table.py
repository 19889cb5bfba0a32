"""README's table of settings, from `events.settings.SETTINGS`. Pure."""

from events.setting_table import SETTINGS, Setting
from infra.docs.markdown_table import markdown_table


def settings_table() -> str:
    """Return one row a setting, in the order of the code."""
    return markdown_table(["variable", "default", "unit", "what"], (_row(setting) for setting in SETTINGS))


def _row(setting: Setting) -> list[str]:
    default = f"`{setting.default}`" if setting.default else ""
    return [f"`{setting.name}`", default, setting.unit, setting.help + (" (secret)" if setting.secret else "")]
