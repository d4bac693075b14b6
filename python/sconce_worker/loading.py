"""Loads a model on behalf of the worker and says how that went."""

import logging
import os
import sys
from typing import NamedTuple, Optional

from sconce_worker import advice, torch_load
from sconce_worker.enclosure import Wish
from ts.failure_text import failure_text, one_line, text_of, user_traceback
from ts.model_loader import ModelLoaderFactory
from ts.service import Service


class LoadOutcome(NamedTuple):
    """What the gateway hears. Code 200 comes with a service; 500 and 507 without, and the worker ends."""

    code: int
    message: str
    # The exception as the last line of a traceback shows it.
    last_line: str
    # For the handler's author; empty where the client is somebody else.
    traceback: str
    service: Optional[Service]


def load(order: dict, wish: Optional[Wish] = None) -> LoadOutcome:
    """Loads the model of a LOAD frame; `wish` is how the worker is enclosed, if it is.

    Only what isn't an Exception escapes (SystemExit, KeyboardInterrupt).
    """
    name = order["modelName"]
    if wish is not None:
        advice.give_for(name, order["modelDir"], wish)
    logging.info("model_name: %s, batchSize: %s", name, order["batchSize"])
    _limit_threads(order.get("threads"))
    torch_load.watch()
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
        headline = f"Load model {name} cpu OOM, exception {text_of(error)}"
        return _failed(507, "System out of memory", headline, error, order)
    except RuntimeError as error:
        text = text_of(error)
        if "CUDA" in text:
            return _failed(507, "System out of memory", f"Load model {name} cuda OOM, exception {text}", error, order)
        return _failed(500, "Unknown exception", f"Failed to load model {name}, exception {text}", error, order)
    except Exception as error:
        return _failed(500, "Unknown exception", "Backend worker process died.", error, order)
    service.tells_tracebacks = order.get("devTracebacks") is True
    return LoadOutcome(200, f"loaded model {name}", "", "", service)


def _failed(code: int, message: str, headline: str, error: Exception, order: dict) -> LoadOutcome:
    told = user_traceback(error)
    logging.error("%s", failure_text(headline, told))
    return LoadOutcome(code, message, one_line(error), told if order.get("devTracebacks") is True else "", None)


def _limit_threads(threads: Optional[int]) -> None:
    # Whoever set the variable has decided already: torch and OpenMP follow it by themselves.
    if not threads or "OMP_NUM_THREADS" in os.environ:
        return
    # For what is imported from here on, and for processes that the model starts.
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
