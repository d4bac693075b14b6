from ts.utils.util import PredictionException


class TroubleHandler:
    """Ends as the request wishes."""

    def initialize(self, context):
        self.calls = 0

    def handle(self, data, context):
        self.calls += 1
        wish = data[0]["body"]
        if isinstance(wish, (bytes, bytearray)):
            wish = wish.decode()
        if wish.isdigit():
            raise PredictionException("as wished", int(wish))
        return getattr(self, wish)(context)

    def fine(self, context):
        return ["fine"]

    def exception(self, context):
        raise ValueError("of the handler")

    def prediction_exception(self, context):
        raise PredictionException("not today", 599)

    def prediction_exception_without_code(self, context):
        raise PredictionException("not today")

    def too_large(self, context):
        raise PredictionException("too much", 413)

    def memory(self, context):
        raise MemoryError("none left")

    def cuda(self, context):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def tuple(self, context):
        return ("a",)

    def nothing(self, context):
        return None

    def too_many(self, context):
        return ["a", "b"]

    def too_few(self, context):
        return []

    def a_set(self, context):
        return [{1, 2}]

    def not_a_number(self, context):
        return [{"value": float("nan"), "limit": float("inf")}]

    def null(self, context):
        return [None]

    def words(self, context):
        return [{"grüße": ["日本", 1, 2.5, True, None, (1, 2)]}]

    def empty(self, context):
        return [""]

    def tensor(self, context):
        import torch

        return [torch.arange(3)]

    def status(self, context):
        context.set_response_status(202, "taken", 0)
        return ["later"]

    def all_status(self, context):
        context.set_all_response_status(507, "none left")
        return ["mine"]
