"""Times on the wire: RFC 3339, UTC, milliseconds. Inside, every time is an int of milliseconds since 1970 (`…_ms`)."""

from datetime import UTC, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OF_ONE_MACHINE = frozenset({"Factory", "localtime", "posixrules"})


def moment(at_ms: int) -> datetime:
    """Return the aware UTC datetime of a time."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def rfc3339(at_ms: int) -> str:
    """Format a time: `2026-11-20T09:03:25.120Z` for 1795165405120."""
    at = moment(at_ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def milliseconds(at: datetime) -> int:
    """Return milliseconds since 1970 of an aware datetime."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def zone_of(name: str) -> tzinfo:
    """Return the time zone of an IANA name. Raises ValueError: it is none, or a machine's own, such as `localtime`."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few functions need it

    try:
        if name not in _OF_ONE_MACHINE and not name.startswith(("posix/", "right/")):
            return ZoneInfo(name)
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        pass
    raise ValueError(f"unknown time zone {str(name)[:60]!r}: use an IANA name such as 'Europe/Berlin', or 'UTC'")
