"""The one time that an archive carries: the same input makes the same bytes, today and tomorrow."""

import os
from datetime import datetime, timezone

# The earliest time that a zip entry can have.
_FIXED = datetime(1980, 1, 1, tzinfo=timezone.utc)


def creation_time() -> datetime:
    """SOURCE_DATE_EPOCH (seconds since 1970) as a time in UTC, or 1 January 1980 where it isn't set.

    Raises ValueError when the variable holds anything else.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        return _FIXED
    try:
        return datetime.fromtimestamp(int(given), tz=timezone.utc)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"SOURCE_DATE_EPOCH must be whole seconds since 1970, and is {given!r}") from None


def created_on() -> str:
    """The creation time as manifests write it."""
    return creation_time().strftime("%d/%m/%Y %H:%M:%S")


def zip_time() -> tuple:
    """The creation time as zip entries hold it, at least 1980 and at most 2107."""
    time = creation_time()
    if time.year < 1980:
        time = _FIXED
    if time.year > 2107:
        return (2107, 12, 31, 23, 59, 58)
    return time.timetuple()[:6]
