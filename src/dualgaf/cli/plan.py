"""`python -m dualgaf plan`: what a build would take and where it would go."""

import argparse

HELP = "what a build would take and where it would go"
EXAMPLES = ("python -m dualgaf plan hardware=8gb data=simulated data.n_windows=4000",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("overrides", nargs="*", help="configuration as for train.py: key=value")


def run(options: argparse.Namespace) -> int:
    """Print the plan; nothing is built."""
    from dualgaf.training.config import load_config, make_data
    from dualgaf.training.fit import planned_network

    cfg = load_config(options.overrides)
    data = make_data(cfg)
    nodes = cfg.trainer.get("num_nodes")
    print(data.plan(None, *planned_network(cfg, data), nodes if isinstance(nodes, int) else 1))
    return 0
