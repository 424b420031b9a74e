"""The command line: the script `mutransfer`, and `python -m mutransfer` without it."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is imported, which takes seconds, ends it as later."""
    try:
        from mutransfer.sweep.cli import main as command_line
    except KeyboardInterrupt:
        sys.stderr.write("mutransfer: stopped\n")
        sys.exit(130)
    command_line()


if __name__ == "__main__":
    main()
