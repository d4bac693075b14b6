"""Old home of the streaming call; the wire format that used to live here is gone."""

from ts.handler_utils import utils as _utils
from ts.protocol.predict_response import create_predict_response
from ts.utils.util import deprecated

__all__ = ["create_predict_response", "send_intermediate_predict_response"]


@deprecated(version="1.0", replacement="ts.handler_utils.utils.send_intermediate_predict_response")
def send_intermediate_predict_response(ret, req_id_map, message, code, context=None):
    """Deprecated name of `ts.handler_utils.utils.send_intermediate_predict_response`."""
    return _utils.send_intermediate_predict_response(ret, req_id_map, message, code, context)
