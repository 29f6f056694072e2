"""The SQL that the stores run, one operation a file under `sql/`."""

from functools import cache
from importlib.resources import files


@cache
def sqlite(operation: str) -> str:
    """Return the SQLite statement of this name, such as `claim_task`."""
    return files("worker.store").joinpath(f"sql/sqlite/{operation}.sql").read_text("utf-8")
