"""Base of handlers whose model PiPPy cuts into a pipeline over the group's processes."""

import os
from abc import ABC

from ts.handler_utils.distributed.pt_pippy import device_of, initialize_rpc_workers
from ts.torch_handler.base_handler import BaseHandler


class BasePippyHandler(BaseHandler, ABC):
    """Subclasses build their model in `initialize`, with `pt_pippy.get_pipeline_driver` of `ts.handler_utils`."""

    def initialize(self, ctx):
        """Joins the group's remote calls; `device` is a CUDA device's number, or `cpu` where there is none.

        KeyError outside of a torchrun group. Loads nothing.
        """
        self.local_rank = int(os.environ["LOCAL_RANK"])
        self.world_size = int(os.environ["WORLD_SIZE"])
        self.device = device_of(self.local_rank)
        initialize_rpc_workers(self.local_rank, self.world_size, ctx)
