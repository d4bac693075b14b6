"""`python3 -m unittest` in this folder. Needs torch, and `sconce` on the path or in the variable SCONCE."""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

# The handler API that the server gives to handlers.
sys.path.insert(0, subprocess.check_output([os.environ.get("SCONCE", "sconce"), "python-path"], text=True).strip())

from handler import Handler  # noqa: E402

from ts.torch_handler.unit_tests.test_utils.mock_context import MockContext  # noqa: E402
from ts.utils.util import PredictionException  # noqa: E402

HERE = Path(__file__).parent


class HandlerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.context = MockContext(model_pt_file="model.pt", model_dir=str(HERE), model_file="model.py")
        cls.handler = Handler()
        cls.handler.initialize(cls.context)

    def predict(self, *bodies):
        return self.handler.handle([{"body": body} for body in bodies], self.context)

    def test_the_sample_is_south_east(self):
        (answer,) = self.predict(json.loads((HERE / "sample.json").read_text()))

        self.assertEqual(answer["label"], "south-east")
        self.assertGreater(answer["score"], 0.9)

    def test_a_batch_is_answered_in_its_order(self):
        answers = self.predict({"point": [0.5, 0.5]}, {"point": [-0.5, 0.5]}, b'{"point": [-0.5, -0.5]}')

        self.assertEqual([answer["label"] for answer in answers], ["north-east", "north-west", "south-west"])

    def test_what_is_no_point_is_refused_with_400(self):
        for body in (None, b"\xff", {}, {"point": [1]}, {"point": ["a", "b"]}, {"point": [True, 1]}):
            with self.subTest(body=body), self.assertRaises(PredictionException) as refused:
                self.predict(body)
            self.assertEqual(refused.exception.error_code, 400)


if __name__ == "__main__":
    unittest.main()
