"""What a handler knows about its model and about the requests of the batch at hand."""

import os
from typing import Any, Optional


class RequestProcessor:
    """One request's headers, and the status and headers that the handler wants on its answer."""

    def __init__(self, request_header: dict) -> None:
        self._status_code = 200
        self._reason_phrase: Optional[str] = None
        self._response_header: dict = {}
        self._request_header = request_header

    def get_request_property(self, key: str) -> Any:
        """The value under `key`; a header spelled in another case is found too, a parameter is not."""
        value = self._request_header.get(key)
        if value is not None or not isinstance(key, str):
            return value
        wanted = key.lower()
        for name, candidate in self._request_header.items():
            if isinstance(candidate, str) and name.lower() == wanted:
                return candidate
        return None

    def get_request_properties(self) -> dict:
        """The dict itself: parameter names with their content type, then the request's headers over them."""
        return self._request_header

    def report_status(self, code: int, reason_phrase: Optional[str] = None) -> None:
        self._status_code = code
        self._reason_phrase = reason_phrase

    def get_response_status_code(self) -> int:
        return self._status_code

    def get_response_status_phrase(self) -> Optional[str]:
        return self._reason_phrase

    def add_response_property(self, key: str, value: str) -> None:
        self._response_header[key] = value

    def get_response_headers(self) -> dict:
        return self._response_header

    def get_response_header(self, key: str) -> Optional[str]:
        return self._response_header.get(key)


class Context:
    """One object for the life of a worker: a handler may keep attributes of its own on it.

    `request_ids` and `request_processor` are None while the model loads and belong to the current batch afterwards;
    an index is a request's place in the batch.
    """

    # Ids of requests that nobody waits for any more, for their client went or their time was up: of this batch, as of
    # the part that was sent last; in continuous batching those that left since the step before. Sconce's own; on
    # TorchServe there is no such attribute.
    cancelled_request_ids = ()

    def __init__(
        self,
        model_name,
        model_dir,
        manifest,
        batch_size,
        gpu,
        mms_version,
        limit_max_image_pixels=True,
        metrics=None,
        model_yaml_config=None,
    ):
        self.model_name = model_name
        self.manifest = manifest
        self._system_properties = {
            "model_dir": model_dir,
            "gpu_id": gpu,
            "batch_size": batch_size,
            "server_name": "MMS",
            "server_version": mms_version,
            "limit_max_image_pixels": limit_max_image_pixels,
        }
        self.request_ids: Optional[dict] = None
        self._request_processor: Optional[list] = None
        self._metrics = metrics
        self._limit_max_image_pixels = True
        self.model_yaml_config = model_yaml_config
        self.stopping_criteria: Optional[list] = None
        self.header_key_sequence_id = os.environ.get("TS_REQUEST_SEQUENCE_ID", "ts_request_sequence_id")
        self.header_key_sequence_start = os.environ.get("TS_REQUEST_SEQUENCE_START", "ts_request_sequence_start")
        self.header_key_sequence_end = os.environ.get("TS_REQUEST_SEQUENCE_END", "ts_request_sequence_end")

    @property
    def system_properties(self) -> dict:
        return self._system_properties

    @property
    def request_processor(self) -> Optional[list]:
        return self._request_processor

    @request_processor.setter
    def request_processor(self, request_processor: Optional[list]) -> None:
        self._request_processor = request_processor

    @property
    def metrics(self):
        return self._metrics

    @metrics.setter
    def metrics(self, metrics) -> None:
        self._metrics = metrics

    def get_request_id(self, idx: int = 0) -> Optional[str]:
        """The request's id; None while the model loads and for an unknown index."""
        return None if self.request_ids is None else self.request_ids.get(idx)

    def get_request_header(self, idx: int, key: str) -> Any:
        """A header's text, or `{"content-type": …}` for a parameter's name, or None."""
        return self._request_processor[idx].get_request_property(key)

    def get_all_request_header(self, idx: int) -> dict:
        return self._request_processor[idx].get_request_properties()

    def get_sequence_id(self, idx: int) -> Optional[str]:
        return self._request_processor[idx].get_request_property(self.header_key_sequence_id)

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.set_response_header(idx, "content-type", value)

    def get_response_content_type(self, idx: int) -> Optional[str]:
        return self.get_response_headers(idx).get("content-type")

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        """Sets one header of one answer; a second value under the same key replaces the first."""
        self._request_processor[idx].add_response_property(key, value)

    def get_response_headers(self, idx: int) -> dict:
        return self._request_processor[idx].get_response_headers()

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        """Sets one answer's status; does nothing while the model loads."""
        processors = self._request_processor
        if processors is not None and processors[idx] is not None:
            processors[idx].report_status(code, reason_phrase=phrase)

    def set_all_response_status(self, code: int = 200, phrase: str = "") -> None:
        """Sets the status of every answer of the batch."""
        for processor in self._request_processor:
            processor.report_status(code, reason_phrase=phrase)

    def get_response_status(self, idx: int) -> tuple:
        processor = self._request_processor[idx]
        return processor.get_response_status_code(), processor.get_response_status_phrase()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Context) and self.__dict__ == other.__dict__

    __hash__ = None
