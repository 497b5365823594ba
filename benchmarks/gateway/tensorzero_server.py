"""Start the server inside TensorZero's wheel, and print where it listens. Run in that peer's environment.

usage: tensorzero_server.py CONFIG.toml
"""

from __future__ import annotations

import sys
import threading
import warnings

import openai
import tensorzero

warnings.simplefilter("ignore")
client = openai.OpenAI(api_key="none")
tensorzero.patch_openai_client(client, config_file=sys.argv[1], async_setup=False)
print(f"listening {client.base_url}", flush=True)
threading.Event().wait()
