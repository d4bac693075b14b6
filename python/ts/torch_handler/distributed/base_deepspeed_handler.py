"""Base of handlers whose model DeepSpeed spreads over the group's processes."""

import os
from abc import ABC

from ts.torch_handler.base_handler import BaseHandler


class BaseDeepSpeedHandler(BaseHandler, ABC):
    """Subclasses build their model in `initialize`, with `ts.handler_utils.distributed.deepspeed.get_ds_engine`."""

    def initialize(self, ctx):
        """Sets `device` to this process's number on its host; loads nothing."""
        self.device = int(os.environ.get("LOCAL_RANK", 0))
