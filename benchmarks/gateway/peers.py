"""Other gateways beside ours: how each is installed outside the repository, configured and started.

Each has a folder of its own under ``BREAKEVEN_BENCH_CACHE`` (by default ``~/.cache/breakeven-bench``). Nothing is
installed unless asked for; what is not there is left out, and the table says so.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from questions import Target
from servers import Command, Seat, Server

CACHE: Final = Path(os.environ.get("BREAKEVEN_BENCH_CACHE", Path.home() / ".cache/breakeven-bench"))
HERE: Final = Path(__file__).resolve().parent
KEY: Final = "fgw_00000000000000000000000000000000"
"""A key that the peers' configurations name; no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Packages in a virtual environment of their own."""

    folder: str
    packages: tuple[str, ...]
    program: str

    def path(self, program: str) -> str:
        """One of its programs."""
        return str(CACHE / self.folder / "bin" / program)

    def install(self) -> None:
        """Make it."""
        subprocess.run((sys.executable, "-m", "venv", str(CACHE / self.folder)), check=True)
        subprocess.run((self.path("pip"), "install", "--quiet", *self.packages), check=True)

    def reason_missing(self) -> str:
        """Why it cannot be used; empty if it can."""
        return "" if Path(self.path(self.program)).exists() else "not installed"

    def version(self, package: str) -> str:
        """Which one of a package is in it."""
        shown = subprocess.run((self.path("pip"), "show", package), stdout=subprocess.PIPE, text=True, check=True)
        found = re.search(r"^Version: (.+)$", shown.stdout, re.MULTILINE)
        return found[1] if found else "unknown"


class Nginx:
    """The ceiling: a reverse proxy in C that knows nothing of models."""

    name = "nginx"

    def reason_missing(self) -> str:
        """Whether the system has it."""
        return "" if shutil.which("nginx") else "not installed"

    def install(self) -> None:
        """Left to the system's packages."""

    def version(self) -> str:
        """It says so itself."""
        shown = subprocess.run(("nginx", "-v"), stderr=subprocess.PIPE, text=True, check=True)
        return shown.stderr.strip().rpartition("/")[2]

    def command(self, seat: Seat) -> Command:
        """One worker, connections kept on both sides, events passed on at once."""
        address = seat.upstream.removeprefix("http://")
        (seat.folder / "nginx.conf").write_text(f"""
            daemon off; worker_processes 1; pid {seat.folder}/pid; error_log {seat.folder}/error.log;
            events {{ worker_connections 4096; }}
            http {{
              access_log off; keepalive_requests 1000000000; client_max_body_size 16m; client_body_buffer_size 1m;
              client_body_temp_path {seat.folder}/body; proxy_temp_path {seat.folder}/proxy;
              fastcgi_temp_path {seat.folder}/f; uwsgi_temp_path {seat.folder}/u; scgi_temp_path {seat.folder}/s;
              upstream mock {{ server {address}; keepalive 64; keepalive_requests 1000000000; }}
              server {{
                listen 127.0.0.1:{seat.port};
                location / {{
                  proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection "";
                  proxy_buffering off;
                }}
              }}
            }}
        """)
        return Command(argv=("nginx", "-p", str(seat.folder), "-c", str(seat.folder / "nginx.conf")))

    def target(self, seat: Seat) -> Target:
        """The upstream's own paths."""
        return Target(url=seat.url)


class Ferro:
    """Ferro AI gateway: Go, no plugins, its limit of requests per address off."""

    name = "Ferro (Go)"
    environment = Environment(folder="ferro", packages=("ferrogw==1.5.10",), program="ferrogw")

    def reason_missing(self) -> str:
        """Whether it was installed."""
        return self.environment.reason_missing()

    def install(self) -> None:
        """A static program in a wheel."""
        self.environment.install()

    def version(self) -> str:
        """Of the wheel."""
        return self.environment.version("ferrogw")

    def command(self, seat: Seat) -> Command:
        """One target, its base URL from the environment."""
        settings = {"strategy": {"mode": "single"}, "targets": [{"virtual_key": "openai"}]}
        (seat.folder / "config.json").write_bytes(msgspec.json.encode(settings))
        return Command(
            argv=(self.environment.path("ferrogw"), "serve"),
            environment={
                "GATEWAY_CONFIG": "config.json",
                "PORT": str(seat.port),
                "MASTER_KEY": KEY,
                "OPENAI_API_KEY": "none",
                "OPENAI_BASE_URL": seat.upstream,
                "RATE_LIMIT_RPS": "0",
                "LOG_LEVEL": "error",
                "GOMAXPROCS": "1",
            },
        )

    def target(self, seat: Seat) -> Target:
        """Its master key is a key."""
        return Target(url=seat.url, key=KEY)


class TensorZero:
    """TensorZero: Rust, in its Python wheel, observability off."""

    name = "TensorZero (Rust)"
    environment = Environment(folder="tensorzero", packages=("tensorzero==2026.6.0", "openai"), program="python")

    def reason_missing(self) -> str:
        """Whether it was installed."""
        return self.environment.reason_missing()

    def install(self) -> None:
        """The wheel has the whole server."""
        self.environment.install()

    def version(self) -> str:
        """Of the wheel."""
        return self.environment.version("tensorzero")

    def command(self, seat: Seat) -> Command:
        """One model; it chooses its own port."""
        (seat.folder / "tensorzero.toml").write_text(f"""
[gateway]
observability.enabled = false

[models.mock]
routing = ["mock"]

[models.mock.providers.mock]
type = "openai"
model_name = "gpt-4o-mini"
api_base = "{seat.upstream}/v1/"
api_key_location = "none"
""")
        argv = (self.environment.path("python"), str(HERE / "tensorzero_server.py"), "tensorzero.toml")
        return Command(argv=argv, environment={"TOKIO_WORKER_THREADS": "1"})

    def target(self, seat: Seat) -> Target:
        """Where it says that it listens."""
        found = re.search(r"^listening (http://[\d.:]+)", seat.log.read_text(), re.MULTILINE)
        if found is None:
            raise LookupError("it has not said where it listens")
        return Target(url=found[1], path="/openai/v1/chat/completions", model="tensorzero::model_name::mock")


class LiteLlm:
    """LiteLLM's proxy: Python, one worker, no database, a master key."""

    name = "LiteLLM (Python)"
    environment = Environment(folder="litellm", packages=("litellm[proxy]==1.100.5",), program="litellm")

    def reason_missing(self) -> str:
        """Whether it was installed."""
        return self.environment.reason_missing()

    def install(self) -> None:
        """With what its proxy needs."""
        self.environment.install()

    def version(self) -> str:
        """Of the package."""
        return self.environment.version("litellm")

    def command(self, seat: Seat) -> Command:
        """One model; prices from the package, since nothing is fetched."""
        (seat.folder / "config.yaml").write_text(f"""
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {{model: openai/gpt-4o-mini, api_base: "{seat.upstream}/v1", api_key: none}}
general_settings: {{master_key: {KEY}}}
litellm_settings: {{telemetry: false, drop_params: true}}
""")
        serve = ("--config", "config.yaml", "--host", "127.0.0.1", "--port", str(seat.port), "--num_workers", "1")
        return Command(
            argv=(self.environment.path("litellm"), *serve),
            environment={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
        )

    def target(self, seat: Seat) -> Target:
        """Its master key is a key."""
        return Target(url=seat.url, key=KEY)


class Portkey:
    """Portkey's gateway: JavaScript on Node."""

    name = "Portkey (Node)"
    program = CACHE / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"

    def reason_missing(self) -> str:
        """Whether it was installed."""
        if shutil.which("node") is None:
            return "needs node"
        return "" if self.program.exists() else "not installed"

    def install(self) -> None:
        """Its streams fail as installed (``TypeError: immutable``), whichever of its packages' versions is taken."""
        (CACHE / "portkey").mkdir(parents=True, exist_ok=True)
        install = ("npm", "install", "--no-audit", "--no-fund", "--silent", "@portkey-ai/gateway@1.15.2")
        subprocess.run(install, cwd=CACHE / "portkey", check=True)

    def version(self) -> str:
        """Of the package."""
        found = msgspec.json.decode((self.program.parent.parent / "package.json").read_bytes())
        return str(found["version"])

    def command(self, seat: Seat) -> Command:
        """It has no configuration: each request tells it where to go."""
        return Command(argv=("node", str(self.program), f"--port={seat.port}", "--headless"))

    def target(self, seat: Seat) -> Target:
        """An OpenAI upstream at an address of ours."""
        headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{seat.upstream}/v1"}
        return Target(url=seat.url, headers=headers)


class FastApi:
    """For scale: FastAPI and httpx, one route, no features."""

    name = "FastAPI + httpx"
    environment = Environment(folder="minimal", packages=("fastapi", "httpx", "uvicorn[standard]"), program="uvicorn")

    def reason_missing(self) -> str:
        """Whether it was installed."""
        return self.environment.reason_missing()

    def install(self) -> None:
        """The three packages."""
        self.environment.install()

    def version(self) -> str:
        """Of the framework and of the client."""
        return f"{self.environment.version('fastapi')} + {self.environment.version('httpx')}"

    def command(self, seat: Seat) -> Command:
        """One worker, without an access log."""
        serve = ("--app-dir", str(HERE), "--port", str(seat.port), "--no-access-log", "--log-level", "error")
        return Command(
            argv=(self.environment.path("uvicorn"), "fastapi_proxy:app", *serve),
            environment={"UPSTREAM": seat.upstream},
        )

    def target(self, seat: Seat) -> Target:
        """OpenAI's path."""
        return Target(url=seat.url)


CEILING: Final = Nginx()
PEERS: Final[tuple[Server, ...]] = (TensorZero(), Ferro(), Portkey(), FastApi(), LiteLlm())
