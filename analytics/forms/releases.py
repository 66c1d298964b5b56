"""What a person types about releases: whom it is for, what is in it, how coarse it is made, and why it ends."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms

from analytics.models.releases import LEAST_K, Recipient, ReleaseKind
from analytics.noise import Bounds
from analytics.selectors import noisy
from analytics.selectors.asked import period_of
from analytics.selectors.noisy import BY, MEASURES, Question
from analytics.selectors.releasable import COLUMNS
from analytics.selectors.releases import KEPT_FOR, PSEUDONYMS_KEPT_FOR, terms
from analytics.services.noisy import LEAST_EPSILON, MOST_EPSILON
from analytics.services.recipients import MOST_SUPPRESSED
from analytics.services.releases import Wish
from callprivacy.lib import calendars, redact
from callprivacy.lib.forms import DayField, EmailLineField, LineField
from callprivacy.tenancy.models import Client


class RecipientForm(forms.Form):
    name = LineField(label="Company", max_length=120)
    email = EmailLineField(
        label="Business address",
        max_length=254,
        help_text="It is asked to delete a file that is revoked or has ended. Files are not sent there.",
    )
    contract = LineField(
        label="Contract",
        max_length=300,
        required=False,
        help_text="What binds them, as “Data processing agreement of 3 March 2026”. Without it there is no"
        " pseudonymized file for them.",
    )
    epsilon = forms.DecimalField(
        label="Budget of noisy figures a year (epsilon)",
        min_value=0,
        max_value=10,
        max_digits=6,
        decimal_places=3,
        initial=Decimal(1),
        help_text="What all their questions of a calendar year cost together. 1 is usual; more tells more of each"
        " caller.",
    )


class RecipientChangeForm(RecipientForm):
    """The same of one that is there; its name stays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["name"]


class ReleaseForm(forms.Form):
    recipient = forms.ModelChoiceField(Recipient.objects.none(), label="For", empty_label="Pick a recipient")
    kind = forms.ChoiceField(
        label="What they get",
        choices=ReleaseKind,
        initial=ReleaseKind.ANONYMISED,
        widget=forms.RadioSelect,
        help_text="Anonymized: callers are hidden among others. Pseudonymized: each row is still one person's, under a"
        f" token; personal data, for {PSEUDONYMS_KEPT_FOR} days at most.",
    )
    purpose = forms.CharField(
        label="What for",
        min_length=15,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="At least 15 characters. It is printed on the data sheet, so write no names and no numbers.",
    )
    columns = forms.MultipleChoiceField(
        label="Columns",
        choices=[
            (
                words[0].upper() + words[1:],
                [(one.name, one.label) for one in COLUMNS.values() if one.words == words],
            )
            for words in dict.fromkeys(one.words for one in COLUMNS.values())
        ],
        widget=forms.CheckboxSelectMultiple,
        help_text="Fewer columns are made less coarse. Numbers, names, recordings and words are never in it.",
    )
    from_on = DayField(label="First day")
    last_on = DayField(label="Last day")
    keep_for_days = forms.TypedChoiceField(
        label="Ends after",
        coerce=int,
        help_text="Then our file is destroyed, and the recipient is asked to delete its copy.",
    )

    def __init__(
        self,
        *args: Any,
        recipients: Sequence[Recipient],
        today: date,
        terms: Sequence[int] = KEPT_FOR,
        kinds: Sequence[ReleaseKind] = tuple(ReleaseKind),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["keep_for_days"].choices = [(days, f"{days} day{'s'[: days != 1]}") for days in terms]  # type: ignore[attr-defined]  # the field has choices
        self.initial.setdefault("keep_for_days", 90 if 90 in terms else terms[-1])
        self._recipients = {str(one.pk): one for one in recipients}
        self._today = today
        self.fields["kind"].choices = [(kind.value, kind.label) for kind in kinds]  # type: ignore[attr-defined]  # the field has choices
        self.fields["recipient"] = forms.ChoiceField(
            label="For",
            choices=[("", "Pick a recipient"), *((key, one.name) for key, one in self._recipients.items())],
        )

    def clean_purpose(self) -> str:
        purpose = str(self.cleaned_data["purpose"])
        if redact.is_personal(purpose):
            raise forms.ValidationError("This looks like a number or an address. Say what for without it.")
        return purpose

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("from_on"), cleaned.get("last_on")
        if first and last:
            if last < first:
                self.add_error("last_on", "The last day comes before the first. Turn them round.")
            elif last >= self._today:
                self.add_error("last_on", "That day is not over yet. Pick yesterday or an earlier one.")
            elif last - first >= timedelta(days=366):
                self.add_error("last_on", "A release is of a year at most. Pick fewer days.")
        if (
            cleaned.get("kind") == ReleaseKind.PSEUDONYMISED
            and (cleaned.get("keep_for_days") or 0) > PSEUDONYMS_KEPT_FOR
        ):
            self.add_error(
                "keep_for_days", f"A pseudonymized file ends after {PSEUDONYMS_KEPT_FOR} days at most."
            )
        return cleaned

    @property
    def picked(self) -> Recipient:
        return self._recipients[self.cleaned_data["recipient"]]

    @property
    def wish(self) -> Wish:
        found = self.cleaned_data
        return Wish(
            kind=ReleaseKind(found["kind"]),
            purpose=found["purpose"],
            columns=found["columns"],
            from_on=found["from_on"],
            until_on=found["last_on"] + timedelta(days=1),
            keep_for_days=found["keep_for_days"],
        )


class ExportForm(ReleaseForm):
    """What a person wants of one of several clients for themselves: anonymized, and gone after a month at most."""

    client = forms.ChoiceField(label="Client")
    field_order = ("client", "from_on", "last_on", "columns", "purpose")

    def __init__(
        self, *args: Any, clients: Sequence[Client], at: datetime, time_zone: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, recipients=(), today=calendars.day_in(time_zone, at), **kwargs)
        for name in ("recipient", "kind", "keep_for_days"):
            del self.fields[name]
        self._clients, self._at = {one.slug: one for one in clients}, at
        self.fields["client"].choices = [("", "Select a client"), *((one.slug, one.name) for one in clients)]  # type: ignore[attr-defined]  # the field has choices
        self.initial["from_on"], self.initial["last_on"] = period_of("month", self._today)

    def clean_client(self) -> str:
        slug = str(self.cleaned_data["client"])
        # Its days begin and end by its own clock.
        self._today = calendars.day_in(self._clients[slug].time_zone, self._at)
        return slug

    @property
    def chosen_client(self) -> Client:
        return self._clients[self.cleaned_data["client"]]

    @property
    def wish(self) -> Wish:
        found = self.cleaned_data
        return Wish(
            kind=ReleaseKind.ANONYMISED,
            purpose=found["purpose"],
            columns=found["columns"],
            from_on=found["from_on"],
            until_on=found["last_on"] + timedelta(days=1),
            keep_for_days=terms(self.chosen_client)[0],
        )


def _slider(least: str, most: str, step: str, shows: str) -> forms.NumberInput:
    return forms.NumberInput(
        {"type": "range", "class": "slider", "min": least, "max": most, "step": step, "data-shows": shows}
    )


class SettingForm(forms.Form):
    """How coarse a release is made; what l and t ask is asked of every column that is released as it is."""

    k = forms.IntegerField(label="k: callers in every class, at least", max_value=200)
    l = forms.IntegerField(  # noqa: E741  (what the papers call it)
        label="l: different values in every class, at least",
        min_value=1,
        max_value=5,
        initial=1,
        help_text="1 asks nothing.",
    )
    t = forms.DecimalField(
        label="t: how far a class may be from the whole, at most",
        min_value=Decimal("0.05"),
        max_value=1,
        max_digits=3,
        decimal_places=2,
        initial=Decimal("1.00"),
        help_text="1 asks nothing; less is stricter.",
    )

    def __init__(self, *args: Any, floor: int = LEAST_K, has_sensitive: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        k = self.fields["k"]
        k.initial = floor
        k.min_value = floor  # type: ignore[attr-defined]  # a number's field
        k.help_text = f"The agency's minimum is {floor}."
        k.widget = _slider(str(floor), str(max(60, floor + 40)), "1", "k")
        self._floor = floor
        if has_sensitive:
            self.fields["l"].widget = _slider("1", "5", "1", "l")
            self.fields["t"].widget = _slider("0.05", "1", "0.05", "t")
        else:
            del self.fields["l"], self.fields["t"]

    def clean_k(self) -> int:
        k = int(self.cleaned_data["k"])
        if k < self._floor:
            raise forms.ValidationError(f"The agency's minimum is {self._floor}. Enter at least that.")
        return k

    @property
    def setting(self) -> dict[str, Any]:
        """k, l and t; what asks nothing is None."""
        found = self.cleaned_data
        l = found.get("l") or 1  # noqa: E741  (what the papers call it)
        t = found.get("t")
        return {
            "k": found["k"],
            "l": None if l < 2 else l,
            "t": None if t is None or t >= 1 else t,
        }


class WhyForm(forms.Form):
    reason = forms.CharField(
        label="Why",
        min_length=15,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="At least 15 characters. The audit log keeps it encrypted.",
    )


class FloorForm(forms.Form):
    k = forms.IntegerField(
        label="k: callers in every class, at least",
        min_value=LEAST_K,
        max_value=200,
        help_text=f"Never below {LEAST_K}.",
    )
    most_suppressed = forms.IntegerField(
        label="Rows left out at most, in percent",
        min_value=0,
        max_value=MOST_SUPPRESSED,
        help_text="Rows that would make all others much coarser may be left out.",
    )


class QuestionForm(forms.Form):
    measure = forms.ChoiceField(label="What", choices=list(MEASURES.items()))
    by = forms.ChoiceField(label="By", choices=[(name, one.label) for name, one in BY.items()])
    from_on = DayField(label="First day")
    last_on = DayField(label="Last day")
    calls = forms.IntegerField(
        label="Calls of one caller that count at most",
        min_value=1,
        max_value=50,
        initial=3,
        help_text="Others are left out. Fewer mean less noise.",
    )
    most = forms.IntegerField(
        label="Seconds of a call that count at most",
        min_value=10,
        max_value=7200,
        initial=600,
        help_text="Longer calls count with this. It matters where seconds are asked for.",
    )
    epsilon = forms.DecimalField(
        label="Cost (epsilon)",
        min_value=LEAST_EPSILON,
        max_value=MOST_EPSILON,
        max_digits=6,
        decimal_places=3,
        initial=Decimal("0.1"),
        help_text="More is more exact, and uses up the year's budget sooner.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("from_on"), cleaned.get("last_on")
        if first and last:
            if last < first:
                self.add_error("last_on", "The last day comes before the first. Turn them round.")
            elif last - first >= timedelta(days=366):
                self.add_error("last_on", "A question is about a year at most. Pick fewer days.")
        return cleaned

    @property
    def question(self) -> Question:
        found = self.cleaned_data
        is_count = found["measure"] == "calls"
        return noisy.Question(
            measure=found["measure"],
            by=found["by"],
            from_on=found["from_on"],
            until_on=found["last_on"] + timedelta(days=1),
            bounds=Bounds(calls=found["calls"], most=1 if is_count else found["most"]),
        )
