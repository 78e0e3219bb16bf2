"""Which numbers of a flow may be published."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from survlspin.cohort.flow import Count, Flow, Step

__all__ = ["mask"]

PARTS = ("rows", "patients", "events")


def mask(flow: Flow, least: int) -> Flow:
    """Return `flow` with rules pooled and numbers hidden so that none from 1 to ``least - 1`` can be had from it."""
    hide_start, hide_end = _small(flow.start, least), _small(flow.end, least)
    steps = [_pool(group) for group in _groups(flow, least, hide_start, hide_end)]
    if not steps:
        return replace(flow, start=flow.start.without(hide_start), end=flow.end.without(hide_end), min_cell=least)
    if len(steps) == 1:  # nothing is left to pool with: what is excluded goes, and with it the number read
        hide_start |= _small(steps[0].excluded, least) - hide_end
    start, end = flow.start.without(hide_start), flow.end.without(hide_end)
    shown = [replace(step, fails=_fails(step, flow.start, least)) for step in steps]
    shown[0] = replace(shown[0], before=start, excluded=shown[0].excluded.without(hide_start))
    shown[-1] = replace(shown[-1], after=end, excluded=shown[-1].excluded.without(hide_end))
    return replace(flow, steps=tuple(shown), start=start, end=end, min_cell=least)


def _small(count: Count, least: int) -> set[str]:
    """Return the parts of a count that are too small to be shown, or that give something too small away."""
    small = range(1, least)
    if count.rows in small:
        return set(PARTS)
    patients = count.patients in small or count.rows - count.patients in small
    events = count.events in small or count.rows - count.events in small
    return {part for part, bad in (("patients", patients), ("events", events)) if bad}


def _groups(flow: Flow, least: int, hide_start: set[str], hide_end: set[str]) -> list[list[Step]]:
    """Return neighbouring rules in groups that may be shown."""

    def bad(group: list[Step]) -> set[str]:
        first, last = group[0] is flow.steps[0], group[-1] is flow.steps[-1]
        hidden = (hide_start if first else set()) | (hide_end if last else set())
        excluded = _small(group[0].before - group[-1].after, least) - hidden
        return excluded if last else excluded | _small(group[-1].after, least)

    groups: list[list[Step]] = []
    group: list[Step] = []
    for step in flow.steps:
        group.append(step)
        if not bad(group):
            groups.append(group)
            group = []
    while group and groups and bad(group):
        group = groups.pop() + group
    return [*groups, group] if group else groups


def _pool(group: list[Step]) -> Step:
    """Return several rules as one."""
    from survlspin.cohort.flow import Count, Step

    if len(group) == 1:
        return group[0]
    before, after = group[0].before, group[-1].after
    ids, texts = "+".join(step.id for step in group), "; ".join(step.text for step in group)
    return Step(ids, texts, before, before - after, after, Count(None, None, None))


def _fails(step: Step, start: Count, least: int) -> Count:
    """Return how many fail the rule at all, as far as neither this nor a difference to another number is small."""
    if step.fails.rows is None:
        return step.fails
    passes = start - step.fails
    between = (step.fails, passes, step.fails - step.excluded, passes - step.after)
    return step.fails.without(set().union(*(_small(count, least) for count in between)))
