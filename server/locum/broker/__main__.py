"""`python -I …/broker/__main__.py`: the broker process. Isolated mode has no path to this package, so it adds it."""

import sys
from pathlib import Path

_package_root = str(Path(__file__).resolve().parents[2])
if _package_root not in sys.path:
    sys.path.insert(0, _package_root)

from locum.broker.serve import main  # noqa: E402 - the path comes first

if __name__ == "__main__":
    main()
