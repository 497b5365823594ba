"""Compare options, find where the answer flips, and say why. Pure."""
