"""How Sphinx builds the site of these pages: `make docs` writes it into build/docs.

Pages are the Markdown of this folder as it is, so that it also reads well where no site is built.
Some texts lie above this folder, where readers of the tree look for them, and one has a name that
Sphinx takes for itself; `OUTSIDE` says which page shows each.
"""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

# Before torch is loaded, as train.py does; signatures need no second thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

import numpy.typing as npt  # noqa: E402
from sphinx.util.typing import stringify_annotation  # noqa: E402

import dualgaf  # noqa: E402

for name in ("dualgaf", "lightning.pytorch.utilities.rank_zero"):  # `make docs` is silent
    logging.getLogger(name).setLevel(logging.ERROR)

project = "dualgaf"
author = "dualgaf developers"
release = version = dualgaf.__version__
extensions = [
    *("myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_gallery.gen_gallery"),
]
# Sphinx writes its own page to search.html, over a document of that name, and warns of nothing;
# see findings/sphinx_loses_a_document_called_search.sh.
exclude_patterns = ["_static", "examples", "search.md"]
language = "en"

html_theme = "furo"
html_title = f"dualgaf {release}"
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
# Nothing is fetched when a page is read: formulas are text, the search is Sphinx' own.
html_permalinks_icon = "#"

myst_heading_anchors = 4

default_role = "py:obj"  # `name` in a docstring is code, and a link where the name is public
add_module_names = False
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_rtype = False

# Run at each build, 11 s of CPU for all. No example starts a process: one that did had not ended.
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_\d\d_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "capture_repr": (),  # what is printed is shown, and nothing else
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,  # a time of one machine says nothing
    "thumbnail_size": (320, 224),
}

OUTSIDE = {
    "contributing": "CONTRIBUTING.md",
    "changelog": "CHANGELOG.md",
    "changes": "changes/README.md",
    "measuring": "benchmarks/README.md",
    "finding": "findings/README.md",
    "pool": "src/dualgaf/pool/README.md",
    "searched": "docs/search.md",
    "store": "src/dualgaf/store/README.md",
}
"""Page -> the file whose text it is."""
UNRELEASED = [*["towncrier", "build", "--draft", "--version"], "Not released yet"]
COLON = "\ufffc"
LINK = re.compile(r"(?<!!)\[([^\[\]]*)\]\(([^()#\s:]+)(#[^()\s]*)?\)")


def show_outside(app, docname, source):
    """Put the text of `OUTSIDE` in its page, and let links to such a file lead to that page."""
    page = ROOT / "docs" / f"{docname}.md"
    file = ROOT / OUTSIDE.get(docname, f"docs/{docname}.md")
    text = file.read_text() if docname in OUTSIDE else source[0]
    if docname == "changelog":
        command = [sys.executable, "-m", *UNRELEASED]
        text += subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.partition("be written.")[2]
    app.env.note_dependency(str(file))
    source[0] = LINK.sub(lambda link: _as_seen_from(page, file, link), text)


def _as_seen_from(page, file, link):
    """A link of ``file``, shown on ``page``; the text alone where it leads to a folder."""
    text, target, anchor = link.groups(default="")
    goal = (file.parent / target).resolve()
    if not goal.exists() or not goal.is_relative_to(ROOT):
        return link.group()
    if goal.is_dir():
        return text
    shown = {ROOT / name: ROOT / "docs" / f"{known}.md" for known, name in OUTSIDE.items()}
    goal = shown.get(goal, goal)
    return f"[{text}]({os.path.relpath(goal, page.parent)}{anchor})"


def plain_types(app, what, name, obj, options, signature, returned):
    """``ArrayLike`` and ``ndarray`` instead of what they stand for, which fills half a page."""
    alike = stringify_annotation(npt.ArrayLike, "smart")
    array = re.compile(r"~?(?:numpy\.)?ndarray\[.*?dtype\[[^\]]*\]\]")
    texts = (text and text.replace(alike, "ArrayLike") for text in (signature, returned))
    return tuple(text and array.sub("ndarray", text).replace("<factory>", "...") for text in texts)


def hide_colons(app, what, name, obj, options, lines):
    """Keep napoleon from reading the words before a colon as the type of an attribute."""
    if what in ("attribute", "property", "data"):
        lines[:1] = [line.replace(":", COLON) for line in lines[:1]]


def show_colons(app, what, name, obj, options, lines):
    """Undo `hide_colons`, after napoleon."""
    lines[:] = [line.replace(COLON, ":") for line in lines]


def leave_out_others(app, what, name, obj, skip, options):
    """What a class inherits from other packages is in their documentation."""
    home = getattr(obj, "__module__", None) or getattr(getattr(obj, "fget", None), "__module__", "")
    return True if home and not home.startswith("dualgaf") else None


def mend_for_readers(app, page, template, context, doctree):
    """What axe-core finds in pages of Sphinx 9.0 and of sphinx-gallery 0.22."""
    body = context.get("body", "").replace("<pre>", '<pre tabindex="0">')  # scrolls by the keyboard
    body = body.replace('class="table-wrapper', 'tabindex="0" class="table-wrapper')
    body = PARAMETERS.sub(_in_lines, body)  # a <dl> without a <dt>
    context["body"] = THUMBNAIL.sub(r'\1 aria-label="\2"><span class="doc">\2<', body)
    for part in ("toctree", "furo_navigation_tree"):
        if isinstance(context.get(part), str):
            context[part] = context[part].replace('role="heading"', 'role="heading" aria-level="2"')


PARAMETERS = re.compile(r'<dl>\n((?:<dd><em class="sig-param">.*?</dd>\n)+)</dl>', re.DOTALL)
THUMBNAIL = re.compile(
    r'(<a class="reference internal" href="plot_\w+\.html")><span class="doc">(.*?)<'
)


def _in_lines(found):
    lines = found[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
    return f'<span class="sig-lines">\n{lines}</span>'


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", show_outside)
    app.connect("autodoc-process-signature", plain_types)
    app.connect("autodoc-process-docstring", hide_colons, priority=400)
    app.connect("autodoc-process-docstring", show_colons, priority=600)
    app.connect("autodoc-skip-member", leave_out_others)
    app.connect("html-page-context", mend_for_readers, priority=600)  # after furo
    return {"parallel_read_safe": True}
