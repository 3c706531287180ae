"""Do the tests notice a broken line as often as those of an earlier build did?

`python -m benchmarks.mutants` breaks lines that both builds have, and counts. Modules:

- `checks`: conditions of one build after which it raises
- `statements`: what both builds hold, word for word
- `breaks`: the ways to break one statement
- `touched`: the tests that touch a line, from one run of each suite
- `draw`: which statements are broken, by a seed
- `trees`: copies of both builds; nothing else is ever changed
- `running`: pytest in a process group, ended in time; `recorder` is the plugin that tells of it
- `trial`: one broken line before the tests of one tree
- `results`: the file of results and its table
"""
