"""Loads a model on behalf of the worker and says how that went."""

import logging
import os
import sys
import traceback
from typing import NamedTuple, Optional

from ts.model_loader import ModelLoaderFactory
from ts.service import Service

_LAST_LINE_LIMIT = 1000


class LoadOutcome(NamedTuple):
    """What the gateway hears. Code 200 comes with a service; 500 and 507 without, and the worker ends."""

    code: int
    message: str
    # The exception as the last line of a traceback shows it.
    last_line: str
    service: Optional[Service]


def load(order: dict) -> LoadOutcome:
    """Loads the model of a LOAD frame. Only what isn't an Exception escapes (SystemExit, KeyboardInterrupt)."""
    name = order["modelName"]
    logging.info("model_name: %s, batchSize: %s", name, order["batchSize"])
    _limit_threads(order.get("threads"))
    try:
        service = ModelLoaderFactory.get_model_loader().load(
            name,
            order["modelDir"],
            order.get("handler"),
            order.get("gpuId"),
            order["batchSize"],
            order.get("envelope"),
            order["limitMaxImagePixels"],
            metrics_cache=None,
            model_yaml_config=order.get("modelYamlConfig"),
            manifest=None,
        )
    except MemoryError as error:
        logging.exception("Load model %s cpu OOM, exception %s", name, error)
        return _failed(507, "System out of memory", error)
    except RuntimeError as error:
        if "CUDA" in str(error):
            logging.exception("Load model %s cuda OOM, exception %s", name, error)
            return _failed(507, "System out of memory", error)
        logging.exception("Failed to load model %s, exception %s", name, error)
        return _failed(500, "Unknown exception", error)
    except Exception as error:
        logging.exception("Backend worker process died.")
        return _failed(500, "Unknown exception", error)
    return LoadOutcome(200, f"loaded model {name}", "", service)


def _failed(code: int, message: str, error: Exception) -> LoadOutcome:
    last_line = traceback.format_exception_only(type(error), error)[-1].strip()
    return LoadOutcome(code, message, last_line[:_LAST_LINE_LIMIT], None)


def _limit_threads(threads: Optional[int]) -> None:
    # Whoever set the variable has decided already: torch and OpenMP follow it by themselves.
    if not threads or "OMP_NUM_THREADS" in os.environ:
        return
    # For what is imported from here on, and for processes that the model starts.
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
