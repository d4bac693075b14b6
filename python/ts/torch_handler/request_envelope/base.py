"""What an envelope does: changes the input on its way to the handler and the output on its way back."""

from abc import ABC, abstractmethod


class BaseEnvelope(ABC):
    """Subclasses turn a batch of requests into what the handler takes, and its results into one answer per request."""

    def __init__(self, handle_fn):
        self._handle_fn = handle_fn
        self.context = None

    def handle(self, data, context):
        """The entry point. No data, and no results, pass as they are; an awaitable of results is awaited."""
        self.context = context
        if data:
            data = self.parse_input(data)
        results = self._handle_fn(data, context)
        if hasattr(results, "__await__"):
            return self._formatted_later(results, context)
        return self.format_output(results) if results else results

    async def _formatted_later(self, awaitable, context):
        results = await awaitable
        # Another call may have come in between: this one's answer belongs to this one's context.
        self.context = context
        return self.format_output(results) if results else results

    @abstractmethod
    def parse_input(self, data):
        """What the handler gets for the batch `data`."""

    @abstractmethod
    def format_output(self, data):
        """The list of answers for the handler's results."""
