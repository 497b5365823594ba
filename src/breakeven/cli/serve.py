"""``breakeven serve``: the gateway, on this machine and with no other service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from breakeven.cli.ledger_options import ledger_option

if TYPE_CHECKING:
    from breakeven.gateway.config import GatewayConfig, UpstreamConfig
    from breakeven.gateway.gateway import Configured
    from breakeven.gateway.listening import Tls
    from breakeven.gateway.logs import LogFormat


@click.command(short_help="The gateway: every request priced, every budget held.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="Port; 0 takes a free one."
)
@click.option(
    "--tls-certificate",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Serve HTTPS with this certificate and its chain (PEM).  [default: plain HTTP]",
)
@click.option(
    "--tls-key",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The certificate's key (PEM, not encrypted).  [default: in the certificate's file]",
)
@ledger_option
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="NAME=URL",
    help="A model server, or 'echo' for the built-in model. Its key is read from NAME_API_KEY. May be repeated.  "
    "[default: those of the configuration, else those that are found]",
)
@click.option(
    "--first-key",
    is_flag=True,
    help="Make a key where the ledger has none that may be used, and print a call to try it with.",
)
@click.option(
    "--admin-key-file", type=click.Path(path_type=Path, dir_okay=False), help="File with the admin API's key."
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least that is logged to standard error.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the log is written; it has no prompts and no keys.",
)
@click.pass_context
def serve(
    context: click.Context,
    /,
    *,
    host: str,
    port: int,
    tls_certificate: Path | None,
    tls_key: Path | None,
    ledger_path: Path,
    upstreams: tuple[str, ...],
    first_key: bool,
    admin_key_file: Path | None,
    log_level: str,
    log_format: LogFormat,
) -> None:
    """An OpenAI-compatible gateway: authorise, hold budgets, send, price, record.

    Point a client's base URL at it and use a key of `breakeven key create` (same --ledger).
    """
    from breakeven.gateway.admin_secret import admin_secret
    from breakeven.gateway.listening import Listening
    from breakeven.gateway.log_stream import log_stream
    from breakeven.gateway.logs import EntryLog, set_up_logs
    from breakeven.gateway.serving import serve_until_stopped

    at = Listening(host=host, port=port, tls=_tls(tls_certificate, tls_key))
    log = log_stream(sys.stderr)
    set_up_logs(log, log_level, log_format)
    entry_log = EntryLog(log, log_format) if log_level in ("debug", "info") else None
    secret, told = admin_secret(ledger_path, admin_key_file)
    reader = _ConfigurationReader(context.obj.path, upstreams, port)

    def ready(url: str) -> None:
        names = ", ".join(upstream.name for upstream in reader.config.upstreams)
        click.echo(f"breakeven serves at {url}/v1 (upstreams: {names}; ledger {ledger_path}; {told})", err=True)
        if first_key:
            _offer_first_key(url, reader.config, ledger_path)

    serve_until_stopped(at, ledger_path, reader.read, secret, ready, entry_log)


def _tls(certificate: Path | None, key: Path | None) -> Tls | None:
    from breakeven.errors import InputError
    from breakeven.gateway.listening import Tls

    if certificate is not None:
        return Tls(certificate, key or certificate)
    if key is not None:
        raise InputError("a TLS key is of no use without its certificate", hint="--tls-certificate FILE")
    return None


class _ConfigurationReader:
    """Reads the gateway's part of the configuration, at the start and whenever it is asked to again.

    Upstreams of the command line replace those of the file. Where neither names any, those that are found stand in;
    they are looked for once, since a search would hold up the requests under way.
    """

    config: GatewayConfig

    def __init__(self, path: Path | None, upstreams: tuple[str, ...], port: int) -> None:
        self._path, self._upstreams, self._port = path, upstreams, port
        self._found: list[UpstreamConfig] | None = None

    def read(self) -> Configured:
        """The configuration as it is now.

        Raises:
            ConfigError: it is wrong.
        """
        from msgspec.structs import replace

        from breakeven.catalog.negotiated import read_price_config
        from breakeven.cli.config import load
        from breakeven.cli.main import DOORS
        from breakeven.gateway.config import read_config, upstream_of_argument
        from breakeven.gateway.discovery import discovered
        from breakeven.gateway.gateway import Configured

        tables = load(self._path, tuple(DOORS)).tables
        config, prices = read_config(tables), read_price_config(tables)
        if self._upstreams:
            config = replace(config, upstreams=[upstream_of_argument(each) for each in self._upstreams])
        elif not config.upstreams:
            if self._found is None:
                self._found = discovered(self._port)
            config = replace(config, upstreams=self._found)
        self.config = config
        return Configured(config=config, prices=prices)


def _offer_first_key(url: str, config: GatewayConfig, ledger: Path) -> None:
    from breakeven.cli.first_key import first_key, how_to_try
    from breakeven.gateway.discovery import example_model

    click.echo(how_to_try(url, example_model(config), first_key(ledger), ledger), nl=False)
