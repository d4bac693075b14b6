# Samples of python.yaml: `ruleid` stands over what must be found, `ok` over what must not.
import json
import pickle
import subprocess
import tempfile
import zipfile

import torch
import yaml

# ruleid: no-unpickling
value = pickle.loads(body)
# ok: no-unpickling
value = json.loads(body)

# ruleid: no-unsafe-torch-load
state = torch.load(path, map_location="cpu", weights_only=False)
# ok: no-unsafe-torch-load
state = torch.load(path, map_location="cpu", weights_only=True)

# ruleid: no-code-from-text
result = eval(text)
# ruleid: no-code-from-text
subprocess.run(f"ls {folder}", shell=True)
# ok: no-code-from-text
subprocess.run(["ls", folder])

# ruleid: no-unsafe-yaml
settings = yaml.load(text)
# ok: no-unsafe-yaml
settings = yaml.safe_load(text)

# ruleid: no-unchecked-extraction
zipfile.ZipFile(path).extractall(folder)

# ruleid: no-guessable-files
name = tempfile.mktemp()
# ok: no-guessable-files
name = tempfile.mkstemp()

# ruleid: no-open-listener
server.bind(("0.0.0.0", 9000))
# ok: no-open-listener
server.bind(("127.0.0.1", 9000))
