"""OpenAI's legacy completions: a prompt instead of messages, and otherwise as chat completions."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from breakeven.policy.decision import Operation
from breakeven.upstreams.attachments import NO_ATTACHMENTS
from breakeven.upstreams.openai_chat import MOST_CHOICES, ChatCodec, OpenAIErrors, output_limit_of, wants_usage
from breakeven.upstreams.question_fields import count_field, flag_field, model_field, prefix_of, read_fields
from breakeven.upstreams.wire import Question

DEFAULT_OUTPUT_TOKENS: Final = 16
"""What OpenAI generates for a prompt without ``max_tokens``; other upstreams may generate more."""

_ITEMS: Final = msgspec.json.Decoder(list[Raw])


class CompletionsEndpoint(OpenAIErrors):
    """``POST /v1/completions``."""

    operation: Operation = "completions"

    def question(self, body: bytes) -> Question:
        """Read a body; each prompt of a list is answered ``n`` times, and billed ``best_of`` times.

        Raises:
            InputError: no JSON object, no model, or a field of the wrong kind.
        """
        fields = read_fields(body)
        wants_usage(fields)
        prompt = fields.get("prompt")
        tries = [count_field(fields, name, least=1, most=MOST_CHOICES) or 1 for name in ("n", "best_of")]
        return Question(
            operation=self.operation,
            body=body,
            fields=fields,
            model=model_field(fields),
            stream=flag_field(fields, "stream"),
            max_output_tokens=output_limit_of(fields, "max_tokens"),
            choices=max(tries) * _prompts(prompt),
            attachments=NO_ATTACHMENTS.parts,
            unseen_input=False,
            processing=None,
            extras=(),
            prefix=prefix_of(prompt),
        )


COMPLETIONS_CODEC: Final = ChatCodec(path="/completions", limit_field="max_tokens")


def _prompts(prompt: Raw | None) -> int:
    """How many prompts there are: a text or a list of token numbers is one."""
    if prompt is None or memoryview(prompt)[0] != ord("["):
        return 1
    items = _ITEMS.decode(prompt)
    return len(items) if items and memoryview(items[0])[0] in b'["' else 1
