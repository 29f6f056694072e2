"""Write the JSON schema of the report of `loop26 investigate` anew; `make docs` runs it."""

from pathlib import Path
from typing import Any

import msgspec

from telemetry.reports.findings import Investigation

PAGE = Path(__file__).parents[1] / "docs" / "investigation.schema.json"


def schema() -> dict[str, Any]:
    """Return the schema, as the classes of `telemetry.reports.findings` make it."""
    made = msgspec.json.schema(Investigation)
    for one in made["$defs"].values():
        one["description"] = " ".join(one["description"].split())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What `loop26 investigate --json` prints",
        **made,
    }


def written() -> str:
    """Return the schema as the file has it."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode() + "\n"


if __name__ == "__main__":
    PAGE.write_text(written())
