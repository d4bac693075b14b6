"""Tensors in JSON for the v2 protocol: shapes and datatypes as numpy would find them, without numpy."""

import sys

DATATYPES = frozenset(
    ["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"]
)
_OF_DTYPE = {
    **{name.lower(): name for name in DATATYPES if name not in ("FP16", "FP32", "FP64", "BYTES")},
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "object": "BYTES",
}
_INT64_MIN, _INT64_MAX, _UINT64_MAX = -(2**63), 2**63 - 1, 2**64 - 1


def shaped(data, shape: list):
    """Nested or flat `data` as lists nested by `shape`, numbers of one type. One size may be -1. Raises ValueError."""
    values, _ = _uniform(_flattened(data)[0])
    sizes = list(shape)
    if sizes.count(-1) == 1:
        rest = _product(size for size in sizes if size != -1)
        sizes[sizes.index(-1)] = len(values) // rest if rest and len(values) % rest == 0 else -1
    if any(size < 0 for size in sizes) or _product(sizes) != len(values):
        raise ValueError(f"cannot reshape array of size {len(values)} into shape {tuple(shape)}")
    for size in reversed(sizes[1:]):
        values = [values[start : start + size] for start in range(0, len(values), size)] if size else []
    return _with_empty_rows(values, sizes) if sizes else values[0]


def flat_output(item) -> tuple:
    """(datatype, flat list) of one output: arrays and tensors keep their own type, lists get the narrowest that fits.

    Raises ValueError for lists of unequal length, KeyError for a type that the protocol doesn't have.
    """
    dtype = getattr(item, "dtype", None)
    if dtype is not None and hasattr(item, "tolist"):
        name = str(dtype).rpartition(".")[2]
        values, _ = _flattened(item.tolist())
        return ("BYTES" if getattr(dtype, "kind", None) == "U" else _OF_DTYPE[name]), values
    values, has_arrays = _flattened(item)
    numpy = sys.modules.get("numpy")
    if has_arrays and numpy is not None:
        return flat_output(numpy.array(item).flatten())
    values, datatype = _uniform(values)
    return datatype, values


def _flattened(data) -> tuple:
    """(flat list, whether arrays or their scalars are in it); ValueError where rows differ in shape."""
    if not isinstance(data, (list, tuple)):
        return [data], hasattr(data, "dtype")
    values = []
    has_arrays = False
    first_shape = None
    for item in data:
        part, part_has_arrays = _flattened(item)
        shape = _shape(item)
        if first_shape is None:
            first_shape = shape
        elif shape != first_shape:
            raise ValueError("the data has rows of different shape")
        values += part
        has_arrays = has_arrays or part_has_arrays
    return values, has_arrays


def _shape(data) -> tuple:
    if isinstance(data, (list, tuple)):
        return (len(data), *_shape(data[0])) if data else (0,)
    return tuple(getattr(data, "shape", ()))


def _uniform(values: list) -> tuple:
    """(values, datatype) after the conversions that putting them into one array makes."""
    kinds = set(map(type, values))
    if not values:
        return values, "FP64"
    if kinds == {bool}:
        return values, "BOOL"
    if kinds <= {bool, int}:
        return _uniform_integers(values)
    if kinds <= {bool, int, float}:
        return _uniform_floats(values)
    if kinds <= {bool, int, float, str}:
        return list(map(str, values)), "BYTES"
    if kinds & {bytes, bytearray, complex}:
        raise KeyError("the v2 protocol has no datatype for " + ", ".join(sorted(kind.__name__ for kind in kinds)))
    return values, "BYTES"


def _uniform_floats(values: list) -> tuple:
    if all(_INT64_MIN <= value <= _UINT64_MAX for value in values if type(value) is int):
        return list(map(float, values)), "FP64"
    return values, "BYTES"


def _uniform_integers(values: list) -> tuple:
    low, high = min(values), max(values)
    if low >= _INT64_MIN and high <= _INT64_MAX:
        return list(map(int, values)), "INT64"
    if low >= 0 and high <= _UINT64_MAX:
        return list(map(int, values)), "UINT64"
    if low >= _INT64_MIN and high <= _UINT64_MAX:
        return list(map(float, values)), "FP64"
    return values, "BYTES"


def _product(sizes) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product


def _with_empty_rows(values: list, sizes: list) -> list:
    """Restores what slicing an empty list loses: rows that are there but hold nothing."""
    if 0 not in sizes:
        return values
    return [_with_empty_rows([], sizes[1:]) if len(sizes) > 1 else [] for _ in range(sizes[0])]
