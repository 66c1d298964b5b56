"""What is decided of a case: done, done in part or refused, on which ground, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from django import forms

from consent.law import places
from rights.enums import Decided, OtherParty
from rights.law.grounds import Ground

SHORTEST: Final = 15


class DecideForm(forms.Form):
    """
    A decision.

    :param grounds: that may be named for this case. :param asks_voice: whether recordings of another party are in it.
    :param asks_place: whether it is a correction.
    :param by_law: whether a law alone keeps calls, which could leave all the same.
    """

    decided = forms.ChoiceField(label="Decision", choices=Decided.choices, widget=forms.RadioSelect)
    ground = forms.ChoiceField(
        label="Ground",
        required=False,
        help_text="For a refusal, whole or in part. The letter cites it.",
    )
    words = forms.CharField(
        label="Your words to the person",
        required=False,
        max_length=2000,
        widget=forms.Textarea({"rows": 4, "autocomplete": "off"}),
        help_text="Why, in plain words; they stand in the letter. Needed where anything is refused.",
    )
    other_party = forms.ChoiceField(
        label="The other voice in recordings", choices=OtherParty.choices, initial=OtherParty.WITHHOLD
    )
    place = forms.ChoiceField(
        label="Where the person is, corrected",
        required=False,
        help_text="A correction of anything else of a call is made on the call's own page first.",
    )
    beyond_floor = forms.BooleanField(
        label="Erase also what only a law wants kept",
        required=False,
        help_text="Only where you are sure that the law does not bind this client. A hold keeps all the same.",
    )

    def __init__(
        self,
        *args: Any,
        grounds: Sequence[Ground],
        asks_voice: bool,
        asks_place: bool,
        by_law: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["ground"]).choices = [
            ("", "None: it is done in full"),
            *((one.id, one.title) for one in grounds),
        ]
        cast(forms.ChoiceField, self.fields["place"]).choices = [("", "As it is"), *place_choices()]
        for name, wanted in (("other_party", asks_voice), ("place", asks_place), ("beyond_floor", by_law)):
            if not wanted:
                del self.fields[name]

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        refuses = said.get("decided") in {Decided.REFUSE, Decided.PART}
        if refuses and not said.get("ground"):
            self.add_error("ground", "Pick the ground on which it is refused, whole or in part.")
        if refuses and len(str(said.get("words", "")).strip()) < SHORTEST:
            self.add_error("words", "Say why in at least a sentence; the person reads it.")
        if said.get("decided") == Decided.FULFIL and said.get("ground"):
            self.add_error("ground", "What is done in full needs no ground against it.")
        return said

    def corrections(self) -> list[dict[str, str]]:
        """What is corrected, as the step takes it."""
        picked = str(self.cleaned_data.get("place", ""))
        if not picked:
            return []
        country, _, region = picked.partition("-")
        return [{"what": "place", "country": country, "region": region}]


class JudgeForm(forms.Form):
    """What a person saw of a proof."""

    holds = forms.ChoiceField(
        label="Is it proven?",
        choices=[("yes", "Yes: it is the person's"), ("no", "No: it is not shown")],
        widget=forms.RadioSelect,
    )
    seen = forms.CharField(
        label="What you saw",
        min_length=SHORTEST,
        max_length=1000,
        widget=forms.Textarea({"rows": 3, "autocomplete": "off"}),
        help_text="In a sentence, without numbers. It is sealed.",
    )


def place_choices() -> list[tuple[str, str]]:
    """The states of the US, the members of the Union, and the United Kingdom, by name."""
    states = [(f"US-{code}", f"{places.name('US', code)}, US") for code in sorted(places.REGIONS["US"])]
    countries = [(code, places.name(code)) for code in ("GB", *sorted(places.MEMBERS))]
    return [("US", "United States, state not known"), *states, *countries]
