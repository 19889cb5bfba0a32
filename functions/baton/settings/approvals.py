"""Settings of approvals: who is told that one is asked for, and who may decide. Must not: read the environment."""

from baton.settings.readers import flag
from baton_events.setting import EVERYWHERE, Setting, one_of, read_by, url

APPROVAL_SETTINGS = read_by(
    EVERYWHERE,
    Setting(
        "APPROVAL_WEBHOOK_URL",
        "approval_webhook_url",
        "",
        "URL",
        "is told of each approval that is asked for; unset: nobody is",
        url,
        secret=True,
    ),
    Setting(
        "APPROVAL_ESCALATION_URL",
        "approval_escalation_url",
        "",
        "URL",
        "is told of approvals that nobody decides in time (`escalate_after_seconds`); unset: APPROVAL_WEBHOOK_URL is",
        url,
        secret=True,
    ),
    Setting(
        "APPROVAL_WEBHOOK_FORMAT",
        "approval_webhook_format",
        "auto",
        "auto, slack, teams or json",
        "how these notices are written; auto: by the host",
        one_of("auto", "slack", "teams", "json"),
    ),
    Setting(
        "APPROVAL_LINKS",
        "approval_links",
        "false",
        "flag",
        "notices have a link that decides without a login, and client keys may make such links for their tenant's jobs",
        flag,
    ),
)
