"""DualGAFNet beside methods without images, on the same splits: `python -m benchmarks.accuracy`.

========== ======================================================================================
sets       which sets, their splits and what is to be reached; ``conf/experiment`` says the rest
tables     the two tables that are not among the public files as they are used here
baselines  MiniRocket, MultiRocket-Hydra, QUANT, the nearest neighbour, a random forest
networks   DualGAFNet, and the recipe of the earlier system, through `dualgaf.training.run.train`
earlier    what that recipe needs beside the package
row        one row: a set, a method, a seed; in a process of its own
results    rows in a file, and which of them are missing
difference mean ranks over all sets, and their picture
ablation   what each part of the recipe is worth, from sweeps that were kept
page       docs/accuracy.md
markdown   its tables and cells
========== ======================================================================================
"""
