"""The documentation's site: ``sphinx-build -W docs DIR``, after ``pip install ".[docs]"``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent)]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from growsearch import __version__  # noqa: E402

project = "growsearch"
author = "the authors of growsearch"
project_copyright = author
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    # Ours, in docs/extensions:
    "inline_pictures",
    "mathml",
    "repository",
    "space_keys",
]
exclude_patterns = ["operations/*"]

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3  # links such as operations.md#one-machine

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings have the types
autodoc_default_options = {"members": True}
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

smartquotes = False  # code is quoted as it is typed

html_theme = "furo"
html_title = f"growsearch {release}"
html_static_path = ["static"]
html_css_files = ["pictures.css"]
html_js_files = [("access.js", {"defer": "defer"})]
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False
copybutton_exclude = ".linenos, .gp, .go"
