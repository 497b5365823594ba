"""What one request consumed, in tokens, with the parts contained in the totals."""

from __future__ import annotations

from msgspec import Struct

from breakeven.errors import UsageError


class Usage(Struct, frozen=True, kw_only=True, gc=False):
    """Token counts of one request, as OpenTelemetry's ``gen_ai.usage.*`` defines them.

    ``input_tokens`` includes the tokens read from and written to a provider's prompt cache, and those of audio;
    ``output_tokens`` includes the reasoning tokens and those of audio. ``cache_read_audio_tokens`` are audio that was
    read from the cache: they are in ``cache_read_tokens`` and in ``input_audio_tokens``. No token is both audio and
    written to a cache, or both audio and reasoning. The parts are checked against the totals, so a token can neither be
    priced twice nor lost. It is a msgspec struct, since one is made for every request: a fifth of a dataclass's time.

    Raises:
        UsageError: a count is negative, or parts exceed their total.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    cache_read_audio_tokens: int = 0
    output_audio_tokens: int = 0

    def __post_init__(self) -> None:
        total, output, read = self.input_tokens, self.output_tokens, self.cache_read_tokens
        write_5m, write_1h, reasoning = self.cache_write_5m_tokens, self.cache_write_1h_tokens, self.reasoning_tokens
        audio, cached_audio, spoken = self.input_audio_tokens, self.cache_read_audio_tokens, self.output_audio_tokens
        texts = int is type(total) is type(output) is type(read) is type(write_5m) is type(write_1h) is type(reasoning)
        sounds = int is type(audio) is type(cached_audio) is type(spoken)
        if not (texts and sounds) or (
            total | output | read | write_5m | write_1h | reasoning | audio | cached_audio | spoken < 0  # a sign in any
        ):
            self._refuse_counts()
        cached = read + write_5m + write_1h
        if cached > total:
            raise UsageError(
                f"cached tokens ({cached}) exceed input_tokens ({self.input_tokens})",
                cause="input_tokens includes cache reads and cache writes",
                hint="pass the provider's total input, cached tokens included",
            )
        if reasoning > output:
            raise UsageError(
                f"reasoning_tokens ({self.reasoning_tokens}) exceed output_tokens ({self.output_tokens})",
                cause="output_tokens includes reasoning tokens",
            )
        if audio or cached_audio or spoken:
            self._check_audio(cached)

    def _refuse_counts(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise UsageError(f"{name} must be a whole number of tokens, not {value!r}")
            if value < 0:
                raise UsageError(f"{name} cannot be negative: {value}")

    def _check_audio(self, cached: int) -> None:
        """Refuse audio that is not within the totals, beside what else is within them."""
        audio, cached_audio = self.input_audio_tokens, self.cache_read_audio_tokens
        for name, whole in (("input_audio_tokens", audio), ("cache_read_tokens", self.cache_read_tokens)):
            if cached_audio > whole:
                raise UsageError(
                    f"cache_read_audio_tokens ({cached_audio}) exceed {name} ({whole})",
                    cause=f"{name} includes the audio that was read from the cache",
                )
        if cached + audio - cached_audio > self.input_tokens:
            raise UsageError(
                f"audio ({audio}) and cached tokens ({cached}), of which {cached_audio} are both, exceed "
                f"input_tokens ({self.input_tokens})",
                cause="input_tokens includes audio, cache reads and cache writes",
                hint="say how much of the audio was read from the cache: cache_read_audio_tokens",
            )
        if self.reasoning_tokens + self.output_audio_tokens > self.output_tokens:
            raise UsageError(
                f"output_audio_tokens ({self.output_audio_tokens}) and reasoning_tokens ({self.reasoning_tokens}) "
                f"exceed output_tokens ({self.output_tokens})",
                cause="output_tokens includes audio and reasoning tokens",
            )

    @property
    def uncached_input_tokens(self) -> int:
        """Input tokens, of text and audio, that were neither read from a cache nor written to one."""
        return self.input_tokens - self.cache_read_tokens - self.cache_write_5m_tokens - self.cache_write_1h_tokens
