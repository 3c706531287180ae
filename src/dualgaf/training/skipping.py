"""``skip_finished=true``: a job of a sweep goes where the same job was done before.

Hydra numbers the jobs of a command, so that job 0 of one sweep is another than job 0 of the next.
Here the folder of a job follows from what makes it: the options that count, and the code
(`dualgaf.training.code_stamp`). So a job that is done is found again in a sweep of more jobs, or of
the same in another order; and one that other code has done is never found.
"""

import json
from pathlib import Path
from typing import Any

import xxhash
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from dualgaf.errors import ConfigError
from dualgaf.training.code_stamp import is_of_this_code, this_code
from dualgaf.training.resume import as_typed_words, key_of
from dualgaf.training.run_folder import counted, record

SUBDIR = "hydra.sweep.subdir"
_RESOLVER = "dualgaf_job"


def job_folder(root: DictConfig) -> str:
    """The name of a job's folder below that of its sweep.

    Args:
        root: configuration of the job, with Hydra's own.

    Returns:
        That of the folder with the same job, by this code; else a new one, ``NUMBER-DIGEST``.
    """
    cfg = OmegaConf.masked_copy(root, [str(key) for key in root if key != "hydra"])
    sweep, makes = Path(str(OmegaConf.select(root, "hydra.sweep.dir"))), counted(cfg)
    told = json.dumps([this_code(), sorted(makes.items())], default=str)
    ending = f"-{xxhash.xxh3_64_hexdigest(told.encode())[:8]}"
    folders = sorted(path.parent for path in sweep.glob("*/.hydra"))
    own = [path for path in folders if path.name.endswith(ending)]
    own += [path for path in folders if is_of_this_code(path) and _makes(path) == makes]
    done = [path for path in own if (path / "metrics.json").is_file()]
    number = OmegaConf.select(root, "hydra.job.num")
    return (done + own)[0].name if own else f"{number}{ending}"


def _makes(folder: Path) -> dict[str, Any] | None:
    found = record(folder, before_hydra=True)
    return None if found is None else counted(found)


def begin_skipping(config: DictConfig) -> None:
    """Have the jobs of a sweep go where they were done before.

    Args:
        config: of the sweep, with Hydra's own.

    Raises:
        ConfigError: no folder is named in which they could be.
    """
    typed = [key_of(text) for text in as_typed_words(config.hydra.overrides.hydra)]
    folder = Path(str(OmegaConf.select(config, "hydra.sweep.dir")))
    if "hydra.sweep.dir" not in typed and not folder.is_dir():
        raise ConfigError(
            "skip_finished=true looks for jobs in the folder of a sweep, and none is named; type "
            "skip_finished=true hydra.sweep.dir=FOLDER"
        )
    if SUBDIR not in typed:
        hydra = config.hydra
        with read_write(hydra), open_dict(hydra):
            hydra.overrides.hydra.append(f"{SUBDIR}=${{{_RESOLVER}:}}")


# When this module is imported: a launcher's worker gets the callbacks, and so this module, first.
OmegaConf.register_new_resolver(_RESOLVER, lambda *, _root_: job_folder(_root_), replace=True)
