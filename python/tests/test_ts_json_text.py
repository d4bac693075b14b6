import enum
import json
import random
from collections import OrderedDict

import pytest

from ts.protocol.json_text import indented_json


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        'é \u2028 \x01 "quoted"',
        [],
        {},
        (),
        [[], {}],
        [1.0, 1e300, -0.0, 1e16, 1e-7],
        [1e308, 1e308],
        [float("nan"), float("inf"), -float("inf")],
        [1, 2, 3],
        [True, 1, 1.0, None, "a"],
        {"a": [{"b": (1, 2)}]},
        {2: "a", 2.5: "b", None: "c", True: "d"},
        OrderedDict(a=1),
        Colour.RED,
        [Colour.RED, 2],
        10**30,
    ],
)
def test_the_text_is_that_of_the_standard_library(value):
    assert indented_json(value) == json.dumps(value, indent=2)


def test_random_values_are_written_like_the_standard_library_writes_them():
    source = random.Random(7)

    def a_value(depth=0):
        kind = source.randrange(8 if depth < 4 else 4)
        if kind == 0:
            return source.choice([None, True, False, "", "x\n", "\ud800"])
        if kind == 1:
            return source.randint(-(10**20), 10**20)
        if kind in (2, 3):
            return source.choice([source.uniform(-1e6, 1e6), float("nan"), float("-inf"), 0.0])
        if kind in (4, 5):
            return [a_value(depth + 1) for _ in range(source.randrange(4))]
        if kind == 6:
            return tuple(source.uniform(-1, 1) for _ in range(source.randrange(4)))
        return {str(source.random()): a_value(depth + 1) for _ in range(source.randrange(4))}

    for _ in range(500):
        value = a_value()
        assert indented_json(value) == json.dumps(value, indent=2)


def test_a_deep_value_is_written():
    value = []
    for _ in range(150):
        value = [value]

    assert indented_json(value) == json.dumps(value, indent=2)


def test_a_circular_value_raises_value_error():
    value = []
    value.append(value)

    with pytest.raises(ValueError, match="Circular"):
        indented_json(value)


def test_what_json_cannot_hold_raises_type_error():
    with pytest.raises(TypeError):
        indented_json({"a": {1, 2}})
