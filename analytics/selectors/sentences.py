"""The sentence over an answer: what passes a stated test, or that there is no clear pattern (docs/adr/0152)."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from analytics.charts import headline
from analytics.selectors.answers import TOO_LITTLE, Answer, Group, is_hidden
from analytics.selectors.asked import Asked, before
from analytics.selectors.reports import Figure, Report, Row
from analytics.selectors.showing import WEEKDAYS, Shown, upper, value_of
from callprivacy.lib.charts.shapes import Value


def _say(made: Answer, words: str) -> None:
    made.said, made.found = words, True


def _counts(shown: Shown, rows: Sequence[Row | None]) -> list[int]:
    return [row.figures.get(shown.of, Figure(0)).value if row else 0 for row in rows]


def say_of_groups(made: Answer, groups: Sequence[Group], report: Report) -> None:
    """
    Of shares: a group whose share differs from all others'. Of counts: a group that changed, where it is asked.

    Figures that are suppressed are compared with nothing; what they add up to is among all others.
    """
    shown = made.shown
    told = [group for group in groups if not is_hidden(shown, group.now)]
    if shown.is_share:
        if any(group.is_other for group in groups if group not in told):
            made.said = TOO_LITTLE
            return
        counts = _counts(shown, [group.now for group in told])
        calls = [group.now.calls for group in told]
        best = headline.stands_out(counts, calls) or headline.stands_out(counts, calls, fewer=True)
        if best is not None and not told[best.place].is_other:
            _say(
                made,
                f"{told[best.place].name}: the {shown.words.lower()} is {headline.times(best.ratio)}"
                " that of all others together.",
            )
        return
    if not shown.is_count:
        made.said = "No sentence is said about sums and averages: the test is one of counts."
        return
    if made.asked.by in {("weekday",), ("hour_of_day",)} and report.before is None:
        if len(told) < len(groups) or any(group.is_other for group in groups):
            made.said = TOO_LITTLE
        else:
            _say_of_cycle(made, told)
        return
    if report.before is None:
        made.said = "Compare with the period before, and what changed is tested."
        return
    both = [group for group in told if not (group.is_other or is_hidden(shown, group.before))]
    now, was = (_counts(shown, [one.now for one in both]), _counts(shown, [one.before for one in both]))
    best = headline.changed(now, was, length=_length(made.asked))
    if best is not None:
        _say(made, f"{both[best.place].name}: {_change_in_words(best.ratio, shown.noun)}")


def _length(asked: Asked) -> float:
    """How long the period is in lengths of the one before."""
    first, last = before(asked.first_on, asked.last_on)
    return asked.days / ((last - first).days + 1)


def _change_in_words(ratio: float, noun: str) -> str:
    if ratio == float("inf"):
        return f"some {noun}, where there were none in the period before."
    if not ratio:
        return f"no {noun} any more, where there were some in the period before."
    if ratio >= 1:
        return f"{headline.times(ratio)} as many {noun} as in the period before."
    return f"{ratio * 100:.0f} % or less of the {noun} of the period before."


def _say_of_cycle(made: Answer, groups: Sequence[Group]) -> None:
    """A weekday, or an hour of the day, that has more than the others."""
    asked, is_day = made.asked, made.asked.by == ("weekday",)
    days = [asked.first_on + timedelta(days=back) for back in range(asked.days)]
    lengths = [float(sum(day.isoweekday() == weekday for day in days)) for weekday in range(1, 8)]
    exposures = [lengths[int(group.keys[0] or 1) - 1] if is_day else float(asked.days) for group in groups]
    counts = _counts(made.shown, [group.now for group in groups])
    best = headline.stands_out(counts, exposures)
    if best is not None:
        name = groups[best.place].name
        each = f"{name}s bring" if is_day else f"The hour from {name} brings"
        others = "other days" if is_day else "other hours"
        _say(
            made, f"{each} {headline.times(best.ratio)} as many {made.shown.noun} as the average of {others}."
        )


def say_of_hours(made: Answer, values: Sequence[Sequence[Value]], names: Sequence[str]) -> None:
    """An hour, or a part, of a weekday that has more than the same of the other days."""
    if not made.shown.is_count:
        made.said = "No sentence is said about shares, sums and averages by the hour."
        return
    if any(value.hidden for row in values for value in row):
        made.said = TOO_LITTLE
        return
    asked = made.asked
    days = [asked.first_on + timedelta(days=back) for back in range(asked.days)]
    lengths = [float(sum(day.weekday() == weekday for day in days)) for weekday in range(7)]
    groups = [
        (
            [int(values[weekday][hour].number or 0) for weekday in range(7)],
            lengths,
        )
        for hour in range(len(names))
    ]
    best = headline.stands_out_within(groups)
    if best is not None:
        hour, finding = best
        _say(
            made,
            f"{WEEKDAYS[finding.place]}s, {names[hour]}, bring {headline.times(finding.ratio)} as many"
            f" {made.shown.noun} as {names[hour]} on other days.",
        )


def say_of_time(made: Answer, report: Report, found: Mapping[str, Value]) -> None:
    """Against the period before where it is asked, else a weekday that has more than the others."""
    shown, asked = made.shown, made.asked
    if shown.is_share and report.before is not None:
        _say_of_share(made, report.total, report.before.total)
        return
    if not shown.is_count:
        made.said = "No sentence is said about shares, sums and averages over time."
        return
    totals = [value_of(shown, one.total) for one in (report, report.before) if one is not None]
    if any(total.hidden for total in totals) or (
        report.before is None and any(value.hidden for value in found.values())
    ):
        made.said = TOO_LITTLE
        return
    days: dict[int, list[int]] = {weekday: [] for weekday in range(7)}
    if asked.step == "day":
        for key, value in found.items():
            days[date.fromisoformat(key).weekday()].append(int(value.number or 0))
    spread = headline.dispersion(list(days.values()))
    if report.before is not None:
        now, was = (int(total.number or 0) for total in totals)
        best = headline.changed([now], [was], length=_length(asked), dispersion=spread, at_least=1.2)
        if best is not None:
            _say(
                made,
                upper(_change_in_words(best.ratio, shown.noun)),
            )
        return
    best = headline.stands_out(
        [sum(days[weekday]) for weekday in range(7)],
        [float(len(days[weekday])) for weekday in range(7)],
        dispersion=spread,
    )
    if best is not None:
        _say(
            made,
            f"{WEEKDAYS[best.place]}s bring {headline.times(best.ratio)} as many {shown.noun} as the average of other"
            " days.",
        )


def _say_of_share(made: Answer, now: Row, was: Row) -> None:
    """A share of all calls against that of the period before: two places whose calls are their exposure."""
    shown = made.shown
    if value_of(shown, now).hidden or value_of(shown, was).hidden:
        made.said = TOO_LITTLE
        return
    best = headline.stands_out(_counts(shown, [now, was]), [now.calls, was.calls], at_least=1.2)
    if best is not None:
        if best.place == 0:
            words = f"is {headline.times(best.ratio)} that of the previous period."
        else:
            words = f"was {headline.times(best.ratio)} as high in the previous period."
        _say(made, f"The {shown.words.lower()} {words}")
