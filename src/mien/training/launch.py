"""Start a training in several processes of this machine, with torch's own launcher (torchrun)."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import Final

from mien.errors import STOPPED, MienError, RunError
from mien.io.threads import usable_cores

_PORT: Final = "29400"


def launch(arguments: Sequence[str], *, processes: int, nodes: int = 1, device: str) -> int:
    """Run ``mien`` with these arguments in several processes, and return their exit code.

    On several machines it has to be started on each of them, with the address of the first one in
    ``MASTER_ADDR`` (and its port in ``MASTER_PORT``).

    Args:
        arguments: arguments of the command line.
        processes: number of processes on this machine.
        nodes: number of machines.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        MienError: if there are not as many GPUs, or the address is missing.
        RunError: if a process was killed.
    """
    import torch
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    if device != "cpu" and torch.cuda.is_available() and processes > torch.cuda.device_count():
        raise MienError(
            f"--devices {processes}: this machine has {torch.cuda.device_count()} GPUs; ask for as "
            "many, or train with --device cpu"
        )
    address = os.environ.get("MASTER_ADDR", "")
    if nodes > 1 and not address:
        raise MienError(
            f"--nodes {nodes}: set MASTER_ADDR to the address of the first machine, and start the "
            "same command on each; with SLURM, start it with srun and without --devices"
        )
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // processes)))
    endpoint = f"{address}:{os.environ.get('MASTER_PORT', _PORT)}" if nodes > 1 else "localhost:0"
    config = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=processes,
        run_id="mien",
        rdzv_backend="c10d",
        rdzv_endpoint=endpoint,
        max_restarts=0,
        local_addr="localhost" if nodes == 1 else None,
    )
    logging.disable()  # the processes report their own errors
    try:
        elastic_launch(config, sys.executable)("-m", "mien", *arguments)
    except SignalException:
        return STOPPED
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode > 0:
            return failure.exitcode
        raise RunError(
            f"process {rank + 1} of {processes * nodes} was killed (signal {-failure.exitcode}), "
            "so the training has ended; continue it: mien train --resume RUN"
        ) from None
    finally:
        logging.disable(logging.NOTSET)
    return 0
