"""Which sets docs/trust.md shows, and of what."""

from benchmarks.accuracy.sets import SETS

ARCHIVE = tuple(SETS)[:9]
JUDGED = (*ARCHIVE, "tennessee_eastman", "mzvav_2_2")
"""Whose probabilities and sets are shown."""
WITH_NEW = (
    *("articulary_word_recognition", "basic_motions", "epilepsy", "japanese_vowels", "natops"),
    *("racket_sports", "tennessee_eastman"),
)
"""Whose classes are left out: those of at least 4 classes."""
CHOSEN_ON = tuple(f"robot_lp{n}" for n in range(1, 6))
"""On which the rule was chosen; none of them is shown."""
TYPED = {
    "mzvav_2_2": ("data.split.test_fraction=0.3", "calibration.folds=5"),
}
"""What is typed beside the experiment, where groups are left out in turn else."""
MOST_CLASSES = 6
COVERAGES = (0.5, 0.8, 0.9)
METHODS = ("novelty", "isolation_forest", "nearest_minirocket")
