from collections import OrderedDict


class SumHandler:
    """Adds up the numbers of each sequence. Keeps the sums of the sequences that were used last, up to a capacity."""

    def initialize(self, context):
        self.capacity = context.model_yaml_config["handler"]["cache"]["capacity"]
        self.sums = OrderedDict()

    def handle(self, data, context):
        return [self._add(index, row, context) for index, row in enumerate(data)]

    def _add(self, index, row, context):
        sequence = context.get_sequence_id(index)
        self.sums[sequence] = self.sums.pop(sequence, 0) + int(row["body"])
        while len(self.sums) > self.capacity:
            self.sums.popitem(last=False)
        context.set_response_header(index, context.header_key_sequence_id, sequence)
        ended = context.get_request_header(index, context.header_key_sequence_end) == "true"
        total = self.sums.pop(sequence) if ended else self.sums[sequence]
        return {"sum": total, "first": context.get_request_header(index, context.header_key_sequence_start)}
