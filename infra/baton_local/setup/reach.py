"""Whether a queue can reach a deployment at all, as far as the addresses tell. Pure."""

from baton.configuration.settings import Settings
from baton_events.schema import WEBHOOK_ENDPOINTS
from baton_events.setting import is_loopback


def unreachable_base(settings: Settings) -> str:
    """Why the queue cannot reach the functions, with the way out; empty: nothing speaks against it."""
    here = [url for url in map(settings.endpoint_url, WEBHOOK_ENDPOINTS) if is_loopback(url)]
    if is_loopback(settings.qstash_url) or not here:
        return ""
    return (
        f"{here[0]} is reached by this machine only, and the queue is {settings.qstash_url}: set "
        "WORKER_BASE_URL to the public address of the functions, or run `baton tunnel` for one"
    )
