"""Where a gateway listens, and the certificate that it shows there."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from breakeven.errors import InputError


class Tls:
    """TLS 1.2 and 1.3 with the certificate and the key of two PEM files, which may be renewed while it serves.

    ``key`` may be the certificate's own file, where that has both.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self.context = self.read()

    def read(self) -> ssl.SSLContext:
        """A context with what the files have now.

        Raises:
            InputError: one cannot be read, is no PEM, or they do not belong together.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        self._load(context)
        return context

    def renew(self) -> None:
        """Let connections that begin from here on see what the files have now; those under way go on.

        Raises:
            InputError: as `read`, which finds that without touching what is served.
        """
        self._load(self.context)

    def _load(self, context: ssl.SSLContext) -> None:
        for name, file, hint in (
            ("certificate", self._certificate, "--tls-certificate FILE"),
            ("key", self._key, "--tls-key FILE"),
        ):
            try:
                file.read_bytes()
            except OSError as error:
                raise InputError(f"cannot read the TLS {name} {file}", cause=error.strerror, hint=hint) from error
        try:
            context.load_cert_chain(self._certificate, self._key, password=self._no_password)
        except ssl.SSLError as error:
            raise self._refused(error) from error

    def _refused(self, error: ssl.SSLError) -> InputError:
        if error.reason == "KEY_VALUES_MISMATCH":
            return InputError(
                f"the TLS key {self._key} is not that of the certificate {self._certificate}",
                hint="--tls-key FILE, the key that the certificate was made for",
            )
        return InputError(
            f"cannot use the TLS certificate {self._certificate} with the key {self._key}",
            cause=f"OpenSSL says {error.reason or 'that one of them is not in PEM format'}",
            hint="both files in PEM format, the certificate with its chain",
        )

    def _no_password(self) -> str:
        """Instead of a question at the terminal, which a server has not."""
        raise InputError(
            f"the TLS key {self._key} is encrypted",
            hint=f"openssl pkey -in {self._key} -out plain.pem, readable for the gateway alone",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """An address of this machine; ``port`` 0 takes a free one. Without ``tls`` it is plain HTTP."""

    host: str
    port: int
    tls: Tls | None = None

    @property
    def scheme(self) -> str:
        """``https`` or ``http``."""
        return "http" if self.tls is None else "https"
