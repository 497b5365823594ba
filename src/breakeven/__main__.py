"""``python -m breakeven``: the same as the ``breakeven`` command."""

from breakeven.cli.main import main

if __name__ == "__main__":
    main()
