"""A name and a value that tell one series of a metric from another."""


class Dimension:
    """One dimension of a metric, printed as `name:value`."""

    def __init__(self, name, value):
        self.name = name
        self.value = value

    def __str__(self):
        return f"{self.name}:{self.value}"

    def __repr__(self):
        return f"Dimension({self.name!r}, {self.value!r})"

    def to_dict(self) -> dict:
        return {"Name": self.name, "Value": self.value}
