"""A small network, exported and compiled to a shared library with AOTInductor."""

import made
import torch
from torch import nn

POINT = [0.25, -1.0, 2.0]

net = nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.Linear(8, 2)).eval()
with torch.inference_mode():
    exported = torch.export.export(net, (torch.tensor([POINT]),))
    options = {
        "aot_inductor.output_path": str(made.FOLDER / "curve.so"),
        # A quick compilation: the library is called a few times.
        "aot_inductor.precompile_headers": False,
        "aot_inductor.compile_wrapper_opt_level": "O0",
    }
    library = torch._inductor.aot_compile(exported.module(), (torch.tensor([POINT]),), options=options)
    if library != str(made.FOLDER / "curve.so"):
        raise SystemExit(f"the library is {library}")
    made.json_file("expected.json", {"point": POINT, "value": net(torch.tensor([POINT]))[0].tolist()})
