"""Read a large collection to Parquet on all cores, and go on where an earlier job was stopped.

    pip install 'mien[report]'
    python batch_job.py photos/ readings/

Afterwards the readings are one table, which DuckDB, Spark and pandas read as well.
"""

import sys
from collections import Counter
from pathlib import Path

import pyarrow.dataset as pads

from mien.batch import BatchSettings, run_batch


def main(photos: str, out: str) -> Counter:
    """Read all pictures; return the number of faces of each emotion, uncertain ones left out."""
    stopped = Path(out, "_batch.json").exists()
    run_batch([photos], out, BatchSettings(model="mien-xs"), resume=stopped)
    table = pads.dataset(out).to_table(columns=["emotion", "uncertain", "error"])
    rows = table.to_pylist()
    for row in rows:
        if row["error"]:
            print("not read:", row["error"], file=sys.stderr)
    return Counter(row["emotion"] for row in rows if row["emotion"] and not row["uncertain"])


if __name__ == "__main__":  # needed: the processes of the job import this file
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(dict(main(*sys.argv[1:])))
