"""The database of a shared queue, held against what the migrations make of it."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from worker.doctor.finding import Finding, Verdict
from worker.store.diagnosis import Diagnosis
from worker.store.supabase.migrations import known, newest, way_out

_AGAIN: Final = "run the statements that make them again: `loop26 migrate --print` has them"
_MADE_INDEX: Final = re.compile(r"create (?:unique )?index if not exists (\w+)")
_MADE_TRIGGER: Final = re.compile(r"create or replace trigger (\w+)")
_OF_WORKERS: Final = re.compile(r"'(loop26_\w+)'")
_PUBLIC: Final = frozenset({"anon", "authenticated"})


def examine_database(diagnosis: Diagnosis) -> Iterator[Finding]:
    """Yield what is missing, different or open; nothing of a queue that is a file."""
    found = diagnosis.database
    if found is None:
        return
    yield _schema(diagnosis)
    yield _row_security(found["tables"])
    yield _open_tables(found["tables"])
    yield _open_policies(found["policies"])
    yield _listed("indexes", _made(_MADE_INDEX), found["indexes"])
    yield _listed("triggers", _made(_MADE_TRIGGER), found["triggers"])
    yield _functions(found["functions"])
    yield _guarded(found["functions"])
    yield _granted(found["functions"])


def _schema(diagnosis: Diagnosis) -> Finding:
    there = diagnosis.schema_version
    if not (advice := way_out(there)):
        return Finding(name="schema", verdict=Verdict.OK, found=f"version {there}")
    found = f"version {there}, this loop26 knows {newest()}"
    return Finding(name="schema", verdict=Verdict.ERROR, found=found, advice=advice)


def _row_security(tables: Mapping[str, Any]) -> Finding:
    without = sorted(name for name, table in tables.items() if not table["row_security"])
    return _judged(
        "row security",
        without,
        ok=f"on, for {len(tables)} tables",
        bad="off for",
        advice="alter table NAME enable row level security: until then its grants alone guard it",
    )


def _open_tables(tables: Mapping[str, Any]) -> Finding:
    # What an application may do to `tasks` is its own business: its policies say what they let in.
    opened = [
        f"{name} ({', '.join(table['open_to'])})"
        for name, table in sorted(tables.items())
        if table["open_to"] and name.rpartition(".")[2] != "tasks"
    ]
    return _judged(
        "tables",
        opened,
        ok="none but tasks is open to anybody who has the publishable key",
        bad="open to anybody:",
        advice="revoke all on NAME from anon, authenticated",
    )


def _open_policies(policies: Iterable[Mapping[str, Any]]) -> Finding:
    opened = [f"{each['name']} on {each['table']} ({each['for']})" for each in policies]
    if not opened:
        return Finding(name="policies", verdict=Verdict.OK, found="none lets anybody at every row")
    return Finding(
        name="policies",
        verdict=Verdict.WARNING,
        found=f"whoever has the publishable key may do to every row what is in brackets, by "
        f"{', '.join(opened)}",
        advice="replace them by policies that say which rows: docs/shared-queue.md has examples",
    )


def _listed(name: str, expected: Iterable[str], there: Iterable[str]) -> Finding:
    missing = sorted(set(expected) - set(there))
    return _judged(name, missing, ok="all there", bad="missing:", advice=_AGAIN)


def _functions(functions: Iterable[Mapping[str, Any]]) -> Finding:
    made = {name: _digest(text) for name, text in _made_functions().items()}
    there: dict[str, list[str]] = {}
    for function in functions:
        there.setdefault(function["name"], []).append(function["md5"])
    wrong = [f"{name} (missing)" for name in made if name not in there]
    wrong += [f"{name} (differs)" for name in made if name in there and there[name] != [made[name]]]
    return _judged(
        "functions",
        sorted(wrong),
        ok=f"all {len(made)} as migrated",
        bad="not as migrated:",
        advice=_AGAIN,
    )


def _guarded(functions: Iterable[Mapping[str, Any]]) -> Finding:
    loose = [each["name"] for each in functions if each["definer"] and not each["search_path"]]
    return _judged(
        "search paths",
        loose,
        ok="fixed, of every function that runs with its owner's right",
        bad="not fixed:",
        advice=_AGAIN,
    )


def _granted(functions: Iterable[Mapping[str, Any]]) -> Finding:
    grants = "\n".join(part.sql for part in known())
    of_workers = frozenset(_OF_WORKERS.findall(grants))
    opened = [
        each["name"]
        for each in functions
        if _PUBLIC & set(each["open_to"]) and each["name"] not in of_workers
    ]
    return _judged(
        "grants",
        opened,
        ok="nobody but operators may call what is for operators",
        bad="anybody may call:",
        advice="revoke execute on function NAME from public, anon, authenticated",
    )


def _judged(name: str, wrong: list[str], *, ok: str, bad: str, advice: str) -> Finding:
    if not wrong:
        return Finding(name=name, verdict=Verdict.OK, found=ok)
    return Finding(
        name=name, verdict=Verdict.ERROR, found=f"{bad} {', '.join(wrong)}", advice=advice
    )


def _made(pattern: re.Pattern[str]) -> frozenset[str]:
    return frozenset(name for part in known() for name in pattern.findall(part.sql))


def _made_functions() -> dict[str, str]:
    """Return the newest text of each function that the migrations make."""
    return {name: text for part in known() for name, text in part.functions.items()}


def _digest(text: str) -> str:
    """Hash a function's body as PostgreSQL keeps it: what stands between the dollar quotes."""
    body = text[text.index("$$") + 2 : text.rindex("$$")]
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
