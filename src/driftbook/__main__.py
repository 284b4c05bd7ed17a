"""``python -m driftbook``: the same as ``driftbook``."""

from driftbook.cli import main

if __name__ == "__main__":
    main()
