"""The `locum` program: `python -m locum` and the installed script.

Editors start `locum lsp` and wait for its first answer, agents wait for `locum hook`: these two do not go through the
command-line library.
"""

import sys


def main() -> None:
    """Run a command; see `cli.main`."""
    if sys.argv[1:] in (["lsp"], ["lsp", "--stdio"]):
        from locum.lsp.main import main as serve

        serve()
    elif sys.argv[1:2] == ["hook"]:
        from locum.agents.hooks.quick import main as answer_hook

        sys.exit(answer_hook(sys.argv[2:]))
    else:
        from locum.cli.main import main as run_command

        run_command()


if __name__ == "__main__":
    main()
