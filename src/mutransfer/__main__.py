"""`python -m mutransfer`: the command line, where the script `mutransfer` is not on the path."""

from mutransfer.sweep.cli import main

main()
