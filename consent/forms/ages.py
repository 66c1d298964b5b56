"""What people choose about how old consents may become."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms

from consent.enums import Purpose
from consent.selectors.ages import Age
from consent.services.ages import AS_THE_AGENCY, NEVER, Choice

OFFERED: Final = (3, 6, 12, 18, 24, 36, 48, 60, 72, 84, 96, 120)


def months_words(months: int | None) -> str:
    if months is None:
        return "No end"
    if months % 12:
        return f"{months} month{'s' if months > 1 else ''}"
    years = months // 12
    return f"{months} months ({years} year{'s' if years > 1 else ''})"


class AgesForm(forms.Form):
    """For each purpose a number of months; a client may have what its agency has."""

    def __init__(
        self,
        *args: Any,
        now: Mapping[Purpose, Age],
        of_agency: Mapping[Purpose, Age] | None = None,
        **kwargs: Any,
    ) -> None:
        """
        :param now: what holds. :param of_agency: what a client falls back to; None where the agency itself chooses.
        """
        super().__init__(*args, **kwargs)
        for purpose in Purpose:
            age = now.get(purpose)
            months = None if age is None else age.months
            offered = sorted({*OFFERED, *([months] if months else [])})
            choices = [(NEVER, "No end"), *((str(one), months_words(one)) for one in offered)]
            initial = NEVER if months is None else str(months)
            if of_agency is not None:
                behind = of_agency.get(purpose)
                words = months_words(None if behind is None else behind.months)
                choices.insert(0, (AS_THE_AGENCY, f"Agency default: {words.lower()}"))
                initial = initial if age is not None and age.is_own else AS_THE_AGENCY
            self.fields[purpose.value] = forms.ChoiceField(
                label=purpose.label, choices=choices, initial=initial
            )

    def chosen(self) -> dict[Purpose, Choice]:
        found: dict[Purpose, Choice] = {}
        for purpose in Purpose:
            word = self.cleaned_data[purpose.value]
            found[purpose] = int(word) if word.isdigit() else word
        return found

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """The values again, for a form that only confirms them."""
        return [(name, self.cleaned_data[name]) for name in self.fields]
