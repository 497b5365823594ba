"""What happened: one row an attempt, holds against budgets, and the one query that adds money up."""
