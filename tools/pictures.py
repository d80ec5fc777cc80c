"""Takes the pictures of pages in the README: ``.venv/bin/python -m tools.pictures results/demo``.

They are resources/report.webp and resources/speaker_review.webp, of a run that has ended. Needs
Chromium.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"report": "report/report.html", "speaker_review": "speakers/review.html"}
SIZE = (1300, 1000)  # of the window in pixels
WIDTH = 1000  # of the picture


def take_picture(page: Path, picture: Path, program: str) -> None:
    """Write what a page shows at its top as WebP.

    Raises
    ------
    subprocess.CalledProcessError
        If the browser fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        taken = Path(folder) / "page.png"
        line = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        line += [f"--user-data-dir={folder}/profile", f"--window-size={SIZE[0]},{SIZE[1]}"]
        line += ["--virtual-time-budget=5000", f"--screenshot={taken}", page.resolve().as_uri()]
        subprocess.run(line, check=True, capture_output=True, timeout=120)
        with Image.open(taken) as image:
            size = (WIDTH, round(image.height * WIDTH / image.width))
            image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(picture, quality=80)


def main() -> None:
    """Take the pictures of a run."""
    parser = argparse.ArgumentParser(prog="python -m tools.pictures", description=__doc__)
    parser.add_argument("results", type=Path, help="folder of results, like results/demo")
    parser.add_argument("--output", type=Path, default=ROOT / "resources")
    arguments = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("there is no Chromium on this machine: install it (apt install chromium)")
    for name, page in PAGES.items():
        if not (arguments.results / page).is_file():
            sys.exit(f"{arguments.results / page} is not there: run make demo first")
        take_picture(arguments.results / page, arguments.output / f"{name}.webp", program)


if __name__ == "__main__":
    main()
