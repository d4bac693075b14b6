def handle(data, context):
    if data is None:
        return None
    return ["ok"] * len(data)
