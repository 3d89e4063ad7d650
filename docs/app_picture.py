"""Makes docs/app.png: the web app on the three samples, as a browser without a window shows it.

    python docs/app_picture.py

Needs the extras app and dev, chromium with chromedriver, and a Korean font (apt-get install fonts-nanum).
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "app"))

from browsing import Browser, missing, served  # noqa: E402

from kure_rag import KureIndex  # noqa: E402
from kure_rag.samples import sample_paths  # noqa: E402
from kure_rag.testing.chat_server import chat_server  # noqa: E402

QUESTION = "집에서 재택근무를 하고 싶으면 며칠 전에 신청해야 하나요?"


def main() -> None:
    """Draws it."""
    if problem := missing():
        raise SystemExit(problem)
    with tempfile.TemporaryDirectory() as folder, chat_server() as server:
        path = Path(folder) / "우리회사-규정"
        with KureIndex.open(path, embeddings="static-ko") as index:
            index.add_paths(sample_paths())
        with served(path, "--files", sample_paths()[0].parent, "--llm", server.base_url) as address:
            browser = Browser(scale=1.5)
            try:
                browser.open(address)
                browser.ask(QUESTION)
                browser.marks()
                browser.settled()
                browser.driver.execute_script("document.activeElement.blur()")
                shot = browser.driver.get_screenshot_as_png()
            finally:
                browser.close()
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    target = ROOT / "docs" / "app.png"
    picture.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)
    print(f"{target.relative_to(ROOT)}: {picture.width} x {picture.height}, {target.stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
