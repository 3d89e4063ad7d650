"""Makes docs/leaderboard.png: the leaderboard with runs of one's own, as a browser without a window shows it.

    kure-rag eval ko_strategyqa_facts_dev --model static-ko --mode all --save runs
    python docs/leaderboard_picture.py runs

Needs the extras leaderboard and dev, chromium with chromedriver, and a Korean font (apt-get install fonts-nanum).
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from app.browsing import Browser, missing, served_by  # noqa: E402

WIDTH, HEIGHT, MARGIN = 1400, 3050, 70


def main() -> None:
    """Draws it."""
    if problem := missing():
        raise SystemExit(problem)
    if len(sys.argv) < 2:
        raise SystemExit("usage: python docs/leaderboard_picture.py RUNS [RUNS ...]")
    with served_by("leaderboard", "--runs", *sys.argv[1:]) as address:
        browser = Browser(scale=1.0)
        try:
            browser.driver.set_window_size(WIDTH, HEIGHT)
            browser.driver.get(address)
            for part in ("by-size", "by-speed", "radar"):
                browser.one(f".st-key-{part} .marks")
            browser.settled()
            hide = "document.querySelectorAll('[data-testid=stHeader]').forEach(part => part.remove())"
            browser.driver.execute_script(hide)
            shot = browser.driver.get_screenshot_as_png()
            browser.driver.get("about:blank")
        finally:
            browser.close()
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    picture = picture.crop((0, MARGIN, picture.width, picture.height))  # Streamlit leaves room for a menu
    target = ROOT / "docs" / "leaderboard.png"
    picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(target, optimize=True)
    print(f"{target.relative_to(ROOT)}: {picture.width} x {picture.height}, {target.stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
