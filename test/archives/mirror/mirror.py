def answer(data, context):
    """Tells what a handler is given, and sets what a handler may set of the answer."""
    if data is None:
        return None
    return [told(index, row, context) for index, row in enumerate(data)]


def told(index, row, context):
    headers = context.get_all_request_header(index)
    if headers.get("X-Wish") == "teapot":
        context.set_response_status(418, "short and stout", index)
    if headers.get("X-Wish") == "plain":
        context.set_response_content_type(index, "text/plain")
        context.set_response_header(index, "X-Told", 'yes, "told"')
        return "plain words, ünïcode"
    if headers.get("X-Wish") == "bytes":
        context.set_response_content_type(index, "application/octet-stream")
        return bytes(range(256))
    return {
        "values": {
            name: [
                type(value).__name__,
                value if isinstance(value, (dict, list, str, int, float, bool)) else list(value)[:32],
            ]
            for name, value in row.items()
        },
        "types": {name: headers.get(name) for name in row},
        "url_path": headers.get("url_path"),
        "explain": headers.get("explain"),
        "wish": headers.get("X-Wish"),
        "same_id": context.get_request_id(index) == context.request_ids[index],
        "properties": {name: value for name, value in sorted(context.system_properties.items()) if name != "model_dir"},
        "manifest": dict(context.manifest["model"]),
        "yaml": context.model_yaml_config,
        "model_name": context.model_name,
    }
