"""What people type about answering sites and who answers there."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from django import forms

from callprivacy.lib.forms import DayField, LineField
from consent.law import places
from consent.models import AnsweringSite
from consent.selectors.sites import NumberAt

_COUNTRY = re.compile(r"[A-Z]{2}").fullmatch


class SiteForm(forms.Form):
    """A place where calls are answered."""

    name = LineField(max_length=200, help_text="Such as Head office or Tampa call center.")
    country = LineField(max_length=2, help_text="Two-letter code, such as US or DE.")
    region = LineField(
        label="State or province",
        required=False,
        max_length=8,
        help_text="Code such as CA or ON. In the United States, the strictest state applies without it.",
    )
    is_default = forms.BooleanField(label="Default site for numbers without a site", required=False)

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).strip().upper()
        if _COUNTRY(country) is None or not places.is_place(country, ""):
            raise forms.ValidationError("Enter a two-letter country code, such as US or DE.")
        return country

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        region = str(cleaned.get("region", "")).strip().upper()
        country = cleaned.get("country", "")
        if region and country and not places.is_place(country, region):
            known = ", ".join(sorted(places.REGIONS.get(country, {}))[:6])
            hint = f" Enter a code such as {known}." if known else " Leave it empty for this country."
            self.add_error("region", f"{country} has no {region}.{hint}")
        cleaned["region"] = region
        return cleaned


class AcknowledgementForm(forms.Form):
    """That somebody who answers calls knows of being recorded."""

    person = LineField(max_length=120, help_text="The person who answers calls at this site.")
    acknowledged_on = DayField(label="Signed on")
    words = forms.CharField(
        label="Text",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Exact text that the person signed.",
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today

    def clean_acknowledged_on(self) -> date:
        day: date = self.cleaned_data["acknowledged_on"]
        if day > self._today:
            raise forms.ValidationError("The date is in the future. Enter today or an earlier date.")
        return day


class LeftForm(forms.Form):
    """Since when somebody no longer answers."""

    left_on = DayField(label="Left on")


class NumbersForm(forms.Form):
    """At which site each tracking number is answered."""

    def __init__(
        self, *args: Any, rows: Iterable[NumberAt], sites: Iterable[AnsweringSite], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "Default site"), *((str(site.pk), site.name) for site in sites)]
        self._numbers = [row.number.pk for row in rows]
        for row in rows:
            self.fields[f"site_{row.number.pk}"] = forms.ChoiceField(
                label=f"Site of {row.number}",
                required=False,
                choices=choices,
                initial=str(row.site.pk) if row.site is not None and row.is_named else "",
            )

    def chosen(self) -> dict[UUID, UUID | None]:
        """Number id -> site id, or None for the default."""
        return {
            number: UUID(site) if (site := self.cleaned_data[f"site_{number}"]) else None
            for number in self._numbers
        }
