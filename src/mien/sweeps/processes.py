"""Start, watch and stop the processes of a sweep's trials."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

from mien.errors import STOPPED, RunError
from mien.io.threads import usable_cores
from mien.runs.run import Run
from mien.sweeps.folder import SweepFolder, Trial
from mien.sweeps.trial import stopped_trial

POLL_S: Final = 0.5
# Windows ends a process at once that gets SIGTERM; Ctrl-Break reaches one with a group of its own.
_STOP: Final = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM)
_OWN_GROUP: Final = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


class TrialProcesses:
    """The running trials of a sweep, each in its own process.

    Args:
        folder: directory of the sweep.
        jobs: number of trials that run at once; they share the CPU cores.
    """

    def __init__(self, folder: SweepFolder, jobs: int) -> None:
        self._folder = folder
        self._jobs = jobs
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._pruned: set[int] = set()

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, number: object) -> bool:
        return number in self._running

    @property
    def full(self) -> bool:
        """Whether the requested number of trials is running."""
        return len(self._running) >= self._jobs

    def start(self, trial: Trial) -> None:
        """Start the process of a trial."""
        environment = dict(os.environ)
        if self._jobs > 1:
            environment["OMP_NUM_THREADS"] = str(max(1, usable_cores() // self._jobs))
        with self._folder.log_path(trial.number).open("ab") as log:
            self._running[trial.number] = subprocess.Popen(
                [sys.executable, "-m", "mien.sweeps.trial", self._folder.path, str(trial.number)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in a terminal reaches the sweep alone, which then asks each trial once.
                start_new_session=True,
                creationflags=_OWN_GROUP,
            )

    def histories(self) -> dict[int, list[dict[str, float]]]:
        """Return the history so far of each running trial, by its number."""
        return {number: self._history(number) for number in self._running}

    def ended(self) -> Iterator[Trial]:
        """Yield each trial whose process has ended since the last call, with its result.

        A trial that was asked to stop is yielded as stopped if it has scores on val, else as open.
        """
        ended = [number for number, process in self._running.items() if process.poll() is not None]
        for number in ended:
            yield self._result(number, self._running.pop(number).returncode)

    def stop(self) -> Iterator[Trial]:
        """Ask every trial to stop after its step, and yield each once its process has ended."""
        for process in self._running.values():
            process.send_signal(_STOP)
        while self._running:
            yield from self.ended()
            time.sleep(POLL_S if self._running else 0)

    def prune(self, number: int) -> None:
        """Ask a trial that falls behind to stop after its step."""
        self._pruned.add(number)
        self._running[number].send_signal(_STOP)

    def kill(self) -> None:
        """End all processes at once."""
        for process in self._running.values():
            process.kill()

    def _history(self, number: int) -> list[dict[str, float]]:
        try:
            return Run(self._folder.run_path(number)).history()
        except RunError:  # not made yet, or damaged, which the trial itself reports
            return []

    def _result(self, number: int, code: int) -> Trial:
        """Return a trial whose process has ended, and save it unless its process has done so."""
        trial = self._folder.trial(number)
        if trial.ended:
            return trial
        if code in (STOPPED, -signal.SIGTERM):
            trial = stopped_trial(self._folder, trial)
            if number in self._pruned and trial.measured:
                trial = trial.model_copy(update={"status": "pruned"})
        else:
            log = self._folder.log_path(number).read_text("utf-8", errors="replace")
            last_line = (log.splitlines() or ["it printed nothing"])[-1][:200]
            how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
            trial = trial.failed(f"{how}: {last_line}")
        self._folder.save(trial)
        return trial
