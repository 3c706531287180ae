"""Run libFuzzer, by atheris, on one target of targets.py; ``make fuzz`` runs all of them.

    python tests/fuzz/fuzz.py csv -max_total_time=60 NEW_CORPUS tests/fuzz/corpus/csv

What it finds becomes a file of the corpus, which `make test` replays.
"""

import sys

WATCHED = ["dualgaf.series", "dualgaf.store", "dualgaf.errors", "aeon.datasets"]


def main() -> None:
    """Fuzz the target that is named first; the other arguments are libFuzzer's."""
    import atheris

    # While modules are loaded: only so the fuzzer sees which of their branches are taken.
    with atheris.instrument_imports(include=WATCHED):
        import aeon.datasets  # noqa: F401  # dualgaf loads it later
        from targets import TARGETS, only_own_errors

    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda data: only_own_errors(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
