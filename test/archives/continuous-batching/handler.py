class CountdownHandler:
    """Counts down from each request's number, a step for all requests at a time.

    A request that is new to a step brings its number; a known one comes empty.
    """

    def initialize(self, context):
        self.left = {}

    def handle(self, data, context):
        told, stops = [], []
        for index, row in enumerate(data):
            request = context.get_request_id(index)
            if request in self.left:
                assert row == {}, f"a known request brought {row}"
            else:
                self.left[request] = int(row["body"]["from"])
            told.append(f"{self.left[request]} ")
            self.left[request] -= 1
            stops.append(self._ends(request))
        context.stopping_criteria = stops
        return told

    def _ends(self, request):
        def ends(_):
            if self.left[request] > 0:
                return False
            del self.left[request]
            return True

        return ends
