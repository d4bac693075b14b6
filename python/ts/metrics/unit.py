"""Names of units as they stand in a metric line."""

UNIT_NAMES = {
    "ms": "Milliseconds",
    "s": "Seconds",
    "percent": "Percent",
    "count": "Count",
    "MB": "Megabytes",
    "GB": "Gigabytes",
    "kB": "Kilobytes",
    "B": "Bytes",
    "": "unit",
    None: "unit",
}


class Units:
    """Holds the names by their short form as `units`."""

    def __init__(self):
        self.units = dict(UNIT_NAMES)
