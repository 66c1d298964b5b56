"""
What a person asks of the explorer. All of it stands in the address, so that a question can be kept and passed on; no
field takes free text, so that nothing gets there which is not in the client's own lists.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, cast

from django import forms

from analytics.selectors import explorer, showing
from analytics.selectors.asked import (
    DAYS_AT_MOST,
    DAYS_WITH_DIMENSIONS,
    HOURS_AT_MOST,
    HOURS_OF_EXACT,
    KINDS,
    LONGEST,
    OVER_TIME,
    PERIODS,
    STEPS,
    WHOLE,
    Asked,
    before,
    period_of,
    usual,
)
from analytics.selectors.reports import ReportError
from callprivacy.lib import calendars
from callprivacy.lib.forms import DayField, LineField
from callprivacy.tenancy.models import Client


class ExploreForm(forms.Form):
    """
    The explorer's question.

    :param today: the client's day.
    :param values: dimension -> (value, words) of what it may be filtered by.
    """

    measure = forms.ChoiceField(label="Measure", required=False)
    by = forms.ChoiceField(label="By", required=False)
    by2 = forms.ChoiceField(label="and by", required=False)
    by3 = forms.ChoiceField(label="and by", required=False)
    period = forms.ChoiceField(label="Period", choices=list(PERIODS.items()), required=False)
    from_on = DayField(label="From", required=False)
    until_on = DayField(label="Until", required=False)
    step = forms.ChoiceField(label="Step", choices=[("", "Fitting"), *STEPS.items()], required=False)
    kind = forms.ChoiceField(choices=list(KINDS.items()), required=False, widget=forms.HiddenInput)
    compare = forms.BooleanField(label="Compare with the period before", required=False)

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        client: Client,
        today: date,
        values: Mapping[str, Sequence[tuple[str, str]]],
        is_exact: bool = False,
    ) -> None:
        super().__init__(data)
        self.client, self.today = client, today
        self.hours_at_most = HOURS_OF_EXACT if is_exact else HOURS_AT_MOST
        if not is_exact:
            offered = {*WHOLE, "own", data.get("period", "")}
            self.fields["period"].widget.choices = [one for one in PERIODS.items() if one[0] in offered]
        self._offer("measure", list(showing.MEASURES.items()))
        for name in ("by", "by2", "by3"):
            self._offer(name, [("", "Nothing"), *showing.dimensions_of(client, is_exact=is_exact).items()])
        for dimension, words in showing.FILTERS.items():
            self.fields[dimension] = forms.ChoiceField(
                label=words, required=False, choices=[("", "Any"), *values.get(dimension, ())]
            )

    def main_fields(self) -> list[forms.BoundField]:
        """What everybody asks."""
        return [self[name] for name in ("measure", "by", "period", "from_on", "until_on", "step")]

    def more_fields(self) -> list[forms.BoundField]:
        """What fewer ask: further dimensions, and what is looked at alone."""
        return [self[name] for name in ("by2", "by3", *showing.FILTERS)]

    def has_more(self) -> bool:
        """Whether something of it is asked, or wrong."""
        return any(bound.value() or bound.errors for bound in self.more_fields())

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        cast(forms.ChoiceField, self.fields[name]).choices = choices

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        by = [said[name] for name in ("by", "by2", "by3") if said.get(name)]
        if len(by) != len(set(by)):
            self.add_error("by2" if said.get("by") == said.get("by2") else "by3", "Each dimension once.")
        if said.get("period") == "own":
            self._clean_own(said.get("from_on"), said.get("until_on"))
        if not self.errors:
            asked = self.asked()
            if asked.step == "hour" and asked.kind in OVER_TIME and asked.days > self.hours_at_most:
                self.add_error(
                    "step", f"By the hour at most {self.hours_at_most} days at once. Choose a longer step."
                )
            try:
                explorer.query_of(self.client, asked).check()
            except ReportError as error:
                self.add_error("by", str(error))
        return said

    def _clean_own(self, first: date | None, last: date | None) -> None:
        if first is None and "from_on" not in self.errors:
            self.add_error("from_on", "Write the first day.")
        if last is None and "until_on" not in self.errors:
            self.add_error("until_on", "Write the last day.")
        if first is None or last is None:
            return
        if last < first:
            self.add_error("until_on", "The last day lies before the first.")
        elif (last - first).days >= LONGEST:
            self.add_error("until_on", f"At most {LONGEST} days at once.")

    def asked(self) -> Asked:
        """The question; what is left out is asked as most people want it. Only after `is_valid()`."""
        said = {name: self.cleaned_data.get(name, "") for name in self.fields}
        period = said["period"] or usual(self.today)
        first, last = (
            (said["from_on"], said["until_on"]) if period == "own" else period_of(period, self.today)
        )
        days = (last - first).days + 1
        kind = said["kind"] or ("bars" if said["by"] and not said["step"] else "line")
        if not any(said[name] for name in ("by", "by2", "by3")) and kind == "bars":
            kind = "columns"  # there is nothing to put side by side
        by = tuple(said[name] for name in ("by", "by2", "by3") if said[name])
        # Told apart by something besides, few people share a day.
        most_days = DAYS_WITH_DIMENSIONS if by else DAYS_AT_MOST
        return Asked(
            measure=said["measure"] or "calls",
            by=by,
            step=said["step"] or ("hour" if days == 1 else "day" if days <= most_days else "week"),
            period=period,
            first_on=first,
            last_on=last,
            compare=bool(said["compare"]),
            kind=kind,
            filters={name: said[name] for name in showing.FILTERS if said.get(name)},
        )


class SaveForm(forms.Form):
    name = LineField(label="Name", max_length=120)
    is_shared = forms.BooleanField(
        label="Share it",
        required=False,
        help_text="Users who may see this client's reports find it in the list, and its link opens after sign-in.",
    )

    def clean_name(self) -> str:
        name = " ".join(str(self.cleaned_data["name"]).split())
        if sum(sign.isdigit() for sign in name) >= 7:
            raise forms.ValidationError(
                "A name with that many digits could be a phone number. Choose another."
            )
        return name


class CostForm(forms.Form):
    wrong: Exception | None = None
    """Where the file cannot be read."""

    file = forms.FileField(
        label="CSV file",
        help_text="Columns date, campaign and cost; one line a day and campaign, days as 2026-11-24, costs as 1250.50.",
    )


def read(
    data: Mapping[str, Any], client: Client, at: datetime, *, is_exact: bool = False
) -> tuple[ExploreForm, Asked | None]:
    """
    The form as it was asked, and the question; None where it has a fault.

    :param at: the instant whose day is "today"; a mail that is late is still of its own date.
    :param is_exact: what is asked of an exact report, which knows every value and more hours.
    """
    today = calendars.day_in(client.time_zone, at)
    form = ExploreForm(
        {"period": usual(today)} | {name: data[name] for name in data},
        client=client,
        today=today,
        values=showing.choices_of(client, is_exact=is_exact),
        is_exact=is_exact,
    )
    return form, form.asked() if form.is_valid() else None


def in_words(form: ExploreForm, asked: Asked) -> list[tuple[str, str]]:
    """The question as pairs of label and words, for papers and for who saves it."""
    said = [("Measure", showing.MEASURES[asked.measure])]
    if asked.by:
        said.append(("By", ", ".join(showing.DIMENSIONS[name].lower() for name in asked.by)))
    if asked.kind in OVER_TIME:
        said.append(("Step", STEPS[asked.step]))
    said.append(("Period", f"{PERIODS[asked.period]}: {days(asked)}"))
    if asked.compare:
        first, last = before(asked.first_on, asked.last_on)
        said.append(("Compared with", f"{first:%-d %B %Y} to {last:%-d %B %Y}"))
    for name, value in asked.filters.items():
        choices = dict(form.fields[name].choices)  # type: ignore[attr-defined]  # a field of choices
        said.append((f"Only {showing.DIMENSIONS[name].lower()}", str(choices.get(value, value))))
    said.append(("Drawn as", KINDS[asked.kind]))
    return said


def days(asked: Asked) -> str:
    """The period in words: "3 November 2026 to 24 November 2026"."""
    return days_in_words(asked.first_on, asked.last_on)


def days_in_words(first: date, last: date) -> str:
    """Two days in words, both included."""
    return f"{first:%-d %B %Y}" if first == last else f"{first:%-d %B %Y} to {last:%-d %B %Y}"
