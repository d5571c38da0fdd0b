"""The `locum` program: `python -m locum` and the installed script.

Editors start `locum lsp` and wait for its first answer, so that one command does not go through the command-line library.
"""

import sys


def main() -> None:
    """Run a command; see `cli.main`."""
    if sys.argv[1:] in (["lsp"], ["lsp", "--stdio"]):
        from locum.lsp.main import main as serve

        serve()
    else:
        from locum.cli.main import main as run_command

        run_command()


if __name__ == "__main__":
    main()
