"""Breakeven: the cheapest way to serve a language-model workload well."""
