"""Prove: what a log or a ledger says about money that need not be spent."""
