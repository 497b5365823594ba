"""How long a new replica takes until it answers: machine, image, weights, compilation, one after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PROVISION_SOURCE: Final = "a GPU machine that is there takes about a minute to boot"
PULL_SOURCE: Final = "an uncached image of a serving engine takes 4 to 8 minutes (Spheron, read November 2026)"
LOAD_SOURCE: Final = "network storage; 70 GB took 10 s (7 GB/s) from a warm page cache (vLLM issue 19824)"
COMPILE_SOURCE: Final = "Dynamo 15 s, torch.compile 70 s, CUDA graphs 60 s (vLLM issue 19824, Llama-70B FP8)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """The parts of a cold start. ``provision_s`` is not billed, the rest is.

    The defaults are those of a machine without the image: 5 to 9 minutes. A warm image without compilation, as
    published for 3B models with a compile cache, is about one minute: ``pull_s = 0, compile_s = 40``.
    """

    provision_s: float = 60.0
    pull_s: float = 240.0
    bandwidth_bytes_per_s: float = 2e9
    compile_s: float = 145.0

    def load_s(self, weight_bytes: float) -> float:
        """Seconds that reading the weights takes."""
        return weight_bytes / self.bandwidth_bytes_per_s

    def whole_s(self, weight_bytes: float) -> float:
        """Seconds from the decision to the first request.

        >>> ColdStart().whole_s(16e9)
        453.0
        """
        return self.provision_s + self.pull_s + self.load_s(weight_bytes) + self.compile_s
