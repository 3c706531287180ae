#!/usr/bin/env bash
# A document called search is not on the site that Sphinx builds, and -W finds nothing to warn of.
#
# Package:  Sphinx 9.0.4
# Expected: a warning, as of two documents that ask for one address, or the page
# Seen:     status 0, no word; search.html is the page of Sphinx' own search, and the document is in
#           the list of contents and in the index of words, which lead to that page
# Here:     docs/conf.py leaves docs/search.md out and shows it by another page
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "sphinx==9.0.4"
cd "$folder"

mkdir docs
printf 'Home\n====\n\n.. toctree::\n\n   search\n   other\n' > docs/index.rst
for name in search other; do
  printf 'Title of %s\n===============\n\nThe word pomegranate stands here.\n' "$name" > "docs/$name.rst"
done
touch docs/conf.py
{
  venv/bin/python -m sphinx -E -q -W --keep-going -b html docs site 2>&1 && echo "status 0, no warning"
  for name in search other; do
    echo "$name.html has $(grep -c pomegranate "site/$name.html" || true) lines of the document"
  done
  echo "index.html: $(grep -o 'Title of [a-z]*' site/index.html | sort -u | paste -sd, -)"
  grep -o 'docnames:\[[^]]*\]\|"docnames":\[[^]]*\]' site/searchindex.js | tr -d '"'
} > seen

cat > stated <<'STATED'
status 0, no warning
search.html has 0 lines of the document
other.html has 1 lines of the document
index.html: Title of other,Title of search
docnames:[index,other,search]
STATED

if ! diff stated seen; then
  echo "findings: it has changed (< as stated, > as seen)" >&2
  exit 1
fi
echo "findings: as stated"
