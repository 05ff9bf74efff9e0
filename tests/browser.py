"""Chromium for tests of pages: a page as a reader has it, and all that it complains of or asks for.

Playwright drives the Chromium of the system: its own download is not needed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt install chromium")

DESKTOP, PHONE = (1280, 900), (390, 844)
SECONDS = 60


@dataclass
class Opened:
    """A page that is open, the lines of its console, and its requests beside the file's own."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def until(self, expression: str) -> None:
        """Wait until an expression is true; Playwright's own waiting breaks a page's policy."""
        end = time.monotonic() + SECONDS
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, expression
            time.sleep(0.05)

    def violations(self) -> list[str]:
        """Return what axe finds serious or critical, each with the elements that it names."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {[node['html'][:160] for node in each['nodes']][:3]}"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox"] if os.geteuid() == 0 else []  # which root cannot have
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@contextmanager
def opened(
    started: Any,
    path: Path,
    size: tuple[int, int] = DESKTOP,
    scheme: Literal["light", "dark"] = "light",
    *,
    ready: str = "html[data-ready=yes]",
    **options: Any,
) -> Iterator[Opened]:
    """A file in a window of a size, with the colours that its system prefers."""
    context = started.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        has_touch=size == PHONE,
        is_mobile=size == PHONE,
        **options,
    )
    context.set_default_timeout(1000 * SECONDS)
    page = context.new_page()
    found = Opened(page)

    def log(message: Any) -> None:
        if message.type in ("error", "warning"):
            found.complaints.append(message.text)

    page.on("console", log)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("request", lambda request: found.requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector(ready, state="attached")
    own = path.as_uri()
    found.requests = [each for each in found.requests if not each.startswith((own, "data:"))]
    yield found
    found.requests = [each for each in found.requests if not each.startswith((own, "data:"))]
    context.close()
