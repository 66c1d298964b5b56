"""What people type of breaches."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import QuerySet
from django_filters import ChoiceFilter, FilterSet

from callprivacy.lib import redact
from callprivacy.lib.forms import DayField, LineField, MomentField
from callprivacy.tenancy.models import Client
from consent.law import places
from governance import letters
from governance.enums import BreachKind, BreachRisk, BreachState, DataCategory
from governance.models import Breach
from governance.services.breaches import Assessment

_PERIOD_AT_MOST: Final = timedelta(days=3 * 366)


def _words(label: str, *, help_text: str, required: bool = True, rows: int = 4) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=4000,
        required=required,
        help_text=help_text,
        widget=forms.Textarea({"rows": rows, "autocomplete": "off"}),
    )


def _instant(label: str, *, help_text: str = "", required: bool = True) -> MomentField:
    return MomentField(
        label=label,
        required=required,
        help_text=help_text,
        widget=forms.DateTimeInput({"type": "datetime-local", "step": "60"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    )


class _InZone(forms.Form):
    """Instants are typed and shown in one zone; Django would read them in its own."""

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = ZoneInfo(zone)
        for name, field in self.fields.items():
            value = self.initial.get(name)
            if isinstance(field, forms.DateTimeField) and isinstance(value, datetime):
                self.initial[name] = value.astimezone(self.zone).replace(tzinfo=None)

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        for name, field in self.fields.items():
            value = said.get(name)
            if isinstance(field, forms.DateTimeField) and isinstance(value, datetime):
                said[name] = value.replace(tzinfo=self.zone)
        return said


def without_number(text: str) -> str:
    """
    Return a title that lists may show.

    :raises ValidationError: there is a phone number or an e-mail address in it.
    """
    if redact.redact(text).count:
        raise forms.ValidationError("Leave numbers and addresses out: this line stands in lists.")
    return text


class BreachFilter(FilterSet):
    state = ChoiceFilter(label="State", choices=BreachState.choices, empty_label="All")
    drills = ChoiceFilter(
        label="Drills",
        field_name="is_drill",
        choices=[("no", "Without drills"), ("only", "Drills only")],
        empty_label="With drills",
        method="only_drills",
    )

    def only_drills(self, rows: QuerySet[Breach], name: str, value: str) -> QuerySet[Breach]:
        return rows.filter(**{name: value == "only"})


class ReportForm(forms.Form):
    """The report of a possible breach, by anybody."""

    title = LineField(
        label="In a few words",
        max_length=120,
        help_text="No names and no phone numbers: this line stands in lists.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    words = _words(
        "What happened",
        help_text="What you saw, when, and what you did so far. It is kept sealed. Reporting too much is no mistake.",
        rows=6,
    )
    is_drill = forms.BooleanField(
        label="This is a drill", required=False, help_text="It is kept apart and nobody outside is told."
    )

    def clean_title(self) -> str:
        return without_number(self.cleaned_data["title"])


class AssessForm(_InZone):
    """What is known of a breach so far."""

    aware_at = _instant(
        "Aware since",
        help_text="When it was reasonably certain. The clocks run from here.",
    )
    kind = forms.ChoiceField(label="What was lost", choices=BreachKind.choices, widget=forms.RadioSelect)
    began_at = _instant("Began", required=False, help_text="Empty, if that is not known yet.")
    ended_at = _instant("Ended", required=False, help_text="Empty, if it goes on or is not known.")
    categories = forms.MultipleChoiceField(
        label="Data concerned", choices=DataCategory.choices, widget=forms.CheckboxSelectMultiple
    )
    client_ids = forms.MultipleChoiceField(
        label="Clients concerned",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Where the agency is the processor for any purpose, the client is told first of all.",
    )
    places = LineField(
        label="Where the people live",
        max_length=300,
        help_text=(
            "Countries and US states, with commas: US-CA, US-NY, DE. Unknown: where the clients do business. Name each:"
            " where we know no rule, its law is to be looked at."
        ),
    )
    people = forms.IntegerField(
        label="About how many people", min_value=0, max_value=2_000_000_000, required=False
    )
    records = forms.IntegerField(
        label="About how many records", min_value=0, max_value=2_000_000_000, required=False
    )
    risk = forms.ChoiceField(
        label="Risk to the people",
        choices=BreachRisk.choices,
        widget=forms.RadioSelect,
        help_text=(
            "An authority in Europe is not told where harm is unlikely. Laws of US states are listed at any risk: some"
            " have no such exception."
        ),
    )
    account = _words(
        "What happened, as it is told",
        help_text=(
            "Every draft begins from these words. Leave out who reported it, names of clients and what is not certain."
        ),
        required=False,
    )
    effects = _words(
        "Likely consequences",
        help_text="What may happen to the people.",
        required=False,
    )
    remedy = _words("Measures", help_text="What was done and will be done about it.", required=False)

    def __init__(self, *args: Any, clients: Sequence[Client], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.MultipleChoiceField, self.fields["client_ids"])
        field.choices = [(str(client.pk), client.name) for client in clients]

    def clean_places(self) -> tuple[str, ...]:
        found = []
        for raw in self.cleaned_data["places"].upper().replace(";", ",").split(","):
            place = raw.strip()
            if not place:
                continue
            country, _, region = place.partition("-")
            if not places.is_place(country, region):
                raise forms.ValidationError(f"{place} is no place we know. Write US-CA, DE or GB.")
            found.append(place)
        if not found:
            raise forms.ValidationError("Name at least one place.")
        return tuple(dict.fromkeys(found))

    def assessment(self) -> Assessment:
        """What was typed, as the service takes it."""
        said = self.cleaned_data
        return Assessment(
            aware_at=said["aware_at"],
            kind=BreachKind(said["kind"]),
            risk=BreachRisk(said["risk"]),
            categories=tuple(said["categories"]),
            places=said["places"],
            client_ids=tuple(int(one) for one in said["client_ids"]),
            began_at=said["began_at"],
            ended_at=said["ended_at"],
            people=said["people"],
            records=said["records"],
            effects=said["effects"],
            remedy=said["remedy"],
            account=said["account"],
        )


class ReasonForm(forms.Form):
    """Why something is not done."""

    reason = forms.CharField(
        label="Why",
        min_length=15,
        max_length=1000,
        help_text="At least 15 characters. It is kept, sealed.",
        widget=forms.Textarea({"rows": 3, "autocomplete": "off"}),
    )


class NoteForm(forms.Form):
    text = _words("Note", help_text="What was done or found. It is kept sealed.", rows=3)


class ContainForm(_InZone):
    """Since when nothing more is lost."""

    contained_at = _instant("Contained since")


class NoticeForm(_InZone):
    """What was told to somebody."""

    text = forms.CharField(
        label="What is sent",
        max_length=20000,
        widget=forms.Textarea({"rows": 22, "autocomplete": "off", "spellcheck": "true", "class": "letter"}),
        help_text="Drafted from what is written down. Change it as needed; what you keep here is what counts as sent.",
    )

    told_at = _instant(
        "When it went out",
        required=False,
        help_text=(
            "Empty: now. The law's dates are judged by it, also those that run from telling residents. Where it is"
            " before now, the next notice to an authority or a controller is open at once, for what came in since."
        ),
    )

    def promised(self) -> date | None:
        """The day by which more follows; None: they are told once."""
        return None


class PhasedNoticeForm(NoticeForm):
    """What was told to somebody who hears the rest later, where not all is known."""

    follows = forms.BooleanField(
        label="More follows",
        required=False,
        help_text="Not all is known yet. The next notice stays open until it is sent or nothing further is to be told.",
    )
    more_on = DayField(
        label="By when more follows",
        required=False,
        help_text="The day that you promise. The law names none: without undue further delay.",
    )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if said.get("follows") and not said.get("more_on") and "more_on" not in self.errors:
            self.add_error("more_on", "Name the day by which more follows.")
        if letters.UNKNOWN in said.get("text", "") and not said.get("follows"):
            self.add_error(
                "follows",
                "The text says that something follows: tick this and name a day, or change the text.",
            )
        return said

    def promised(self) -> date | None:
        """The day by which more follows; None where that is all."""
        return self.cleaned_data["more_on"] if self.cleaned_data["follows"] else None


class CloseForm(forms.Form):
    lessons = _words("What was learned, and what changes because of it", help_text="It is kept sealed.")


class ImpactForm(_InZone):
    """Whose deeds, or which connection's calls, and of when."""

    who = forms.ChoiceField(label="What was it", required=False)
    since = _instant("From")
    until = _instant("Until", help_text="Exclusive.")

    def __init__(self, *args: Any, choices: Sequence[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["who"]).choices = [
            ("", "Anybody: everything of that time"),
            *choices,
        ]

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        since, until = said.get("since"), said.get("until")
        if since and until and since >= until:
            self.add_error("until", "It ends before it begins.")
        elif since and until and until - since > _PERIOD_AT_MOST:
            self.add_error("since", "Ask for three years at most.")
        return said
