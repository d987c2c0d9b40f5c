"""``python -m emotone``."""

from emotone.cli import main

main()
