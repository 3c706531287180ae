"""The page of a run, ``report.html``, and that of a sweep or a study, ``index.html``."""
