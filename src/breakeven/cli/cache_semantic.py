"""``breakeven cache semantic-check``: what answers to other wordings would be served, and which of them wrongly."""

from __future__ import annotations

from pathlib import Path

import click

from breakeven.cli.options import output_options, text_style, write_output


@click.command("semantic-check", short_help="What the semantic cache would serve of known pairs.")
@click.argument("pairs_path", metavar="PAIRS", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--similarity",
    type=click.FloatRange(-1, 1),
    metavar="X",
    help="Least cosine of two questions' embeddings.  [default: 0.5]",
)
@output_options("text", "json", "csv", "markdown")
def semantic_check(pairs_path: Path, similarity: float | None, output_format: str, out: Path | None) -> None:
    """Hold the semantic cache against PAIRS, JSON Lines of base, paraphrase, near_miss and category.

    A paraphrase should be served the base's answer; a near miss never. The rule is the gateway's, without the evidence
    that a route must gather before it serves. The embedding model comes with breakeven[semantic].
    """
    from breakeven.cache.embedding import load_embedder
    from breakeven.cache.semantic_check import check, read_pairs
    from breakeven.policy.semantic_rule import SemanticRule
    from breakeven.render.semantic_check import render_check

    rule = SemanticRule() if similarity is None else SemanticRule(similarity=similarity)
    checked = check(read_pairs(pairs_path), load_embedder(), rule)
    write_output(render_check(checked, output_format, text_style(out)), out)
