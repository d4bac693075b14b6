import asyncio
import time

from ts.utils.util import PredictionException


class MeetingHandler:
    """Answers a request of one kind only when one of the other kind has come, so two must overlap."""

    def initialize(self, context):
        # TorchServe now and then loses a worker whose asynchronous handler loads at once.
        time.sleep(0.5)
        self.arrived = {}

    async def handle(self, data, context):
        wish = data[0]["body"]
        if wish.get("fail"):
            raise PredictionException("as wished", 418)
        for kind in (wish["kind"], wish["waits_for"]):
            self.arrived.setdefault(kind, asyncio.Event())
        self.arrived[wish["kind"]].set()
        await asyncio.wait_for(self.arrived[wish["waits_for"]].wait(), 60)
        return [f"{wish['kind']} met {wish['waits_for']}"]
