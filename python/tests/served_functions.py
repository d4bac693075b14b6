"""A function as the entry point of a model, and requests to it as the worker decodes them."""

from ts.metrics.configured_cache import configured_metrics_cache
from ts.service import Service


def a_service(entry_point, name: str = "m") -> Service:
    return Service(name, "/models/m", None, entry_point, None, 4, True, configured_metrics_cache(name), {})


def a_request(*parameters, request_id: str = "r0", headers=()) -> dict:
    return {"requestId": request_id, "headers": list(headers), "parameters": list(parameters)}


def requests(count: int) -> list:
    return [a_request(("body", "", b""), request_id=f"r{index}") for index in range(count)]
