"""The page of one investigation, as a file."""

from collections.abc import Iterator

from telemetry.reports.findings import Investigation
from telemetry.reports.html import answer, company, evidence, parameters, progress, stack
from telemetry.reports.html.document import document
from telemetry.reports.html.markup import tag
from telemetry.reports.html.parts import Section, contents


def page(found: Investigation) -> str:
    """Return an investigation as one HTML file: it fetches nothing and runs only its own script.

    The answer stands first. Long lists are cut, and say so; whatever the value holds is text.
    """
    sections = list(_sections(found))
    return document(
        answer.title(found),
        tag("a", "Skip to the report", href="#report", class_="skip"),
        answer.head(found),
        tag(
            "div",
            contents(sections),
            tag("main", (one.html for one in sections), id="report", tabindex=-1),
            class_="page",
        ),
    )


def _sections(found: Investigation) -> Iterator[Section]:
    failure = found.failure
    if failure is None:
        yield progress.progress(found)
        yield progress.picture(found)
    else:
        yield from answer.sections(found, failure)
        yield progress.picture(found)
        yield from stack.sections(failure)
        yield progress.progress(found)
    yield parameters.parameters(found.params)
    yield evidence.completeness(found.completeness)
    if len(found.attempts) > 1:
        yield company.attempts(found.attempts)
    if failure is not None:
        yield evidence.hypotheses(found.hypotheses)
        yield company.relatives(found.relatives)
        yield company.same_failure(found.same_failure)
    yield company.last_good(found.last_good)
    if failure is not None:
        yield company.previous(found.previous, found.against_previous)
    yield company.tasks(found)
    yield parameters.model(found)
    yield company.environment(found.environment)
    yield evidence.around(found.timeline.around, failed=failure is not None)
    yield company.links(found)
    yield company.next_steps(found.next_steps)
