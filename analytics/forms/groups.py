"""What a person types about groups: which steps are used, and what lies in which group, in lines of text."""

import re
from typing import Any, Final

from django import forms

from analytics.anonymise.own import BANDS, LEVELS, Own, OwnError
from callprivacy.lib import redact
from callprivacy.lib.forms import LineField

_PICKED: Final = {
    "source": "Steps of sources",
    "seconds": "Steps of lengths",
    "instant": "Steps of weekday and hour",
    "day": "Steps of days",
    "place": "Steps of places",
}
_SAID: Final = {"hour": "hour of the weekday", "region": "region of the US or Canada"}
_HOURS: Final = re.compile(r"(\d{1,2})(?::00)?\s*(?:-|–|to)\s*(\d{1,2})(?::00)?")
_FIELDS: Final = {name: f"steps_{name}" for name in LEVELS} | {name: name.replace(" ", "_") for name in BANDS}
"""The field that stands for a part of the groups, where it is not called like it."""


class GroupsForm(forms.Form):
    channels = forms.CharField(
        label="Channels",
        max_length=20_000,
        widget=forms.Textarea(attrs={"class": "letter", "spellcheck": "false"}),
        help_text="A line for each: the channel, a colon, its sources as the tracker writes them, with commas between"
        " them. Capitals do not matter. A source that is not listed is in “other”.",
    )
    paid = LineField(
        label="Channels that are paid for",
        max_length=2_000,
        required=False,
        help_text="With commas between them. All others are not paid.",
    )
    narrow_bands = LineField(label="Narrow bands begin at", max_length=600)
    bands = LineField(label="Bands begin at", max_length=600)
    wide_bands = LineField(
        label="Wide bands begin at",
        max_length=600,
        help_text="Seconds, with commas between them. The narrower list must include every value of the wider one.",
    )
    parts = forms.CharField(
        label="Parts of the day",
        max_length=2_000,
        widget=forms.Textarea(attrs={"spellcheck": "false"}),
        help_text="A line for each, as “evening: 18-22”. Every hour is in one; weekdays and weekends are kept apart.",
    )
    after = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in _PICKED.items():
            self.fields[_FIELDS[name]] = forms.MultipleChoiceField(
                label=label,
                choices=[(step, _SAID.get(step, step)) for step in LEVELS[name]],
                widget=forms.CheckboxSelectMultiple,
                error_messages={"required": "Pick at least one of the steps."},
            )
        self.order_fields((
            "steps_source", "channels", "paid", "steps_seconds", "narrow_bands", "bands", "wide_bands", "steps_instant",
        ))  # fmt: skip

    @classmethod
    def of(cls, own: Own, *, after: int) -> "GroupsForm":
        return cls(
            initial={
                "channels": "\n".join(
                    f"{name}: {', '.join(sources)}" for name, sources in sorted(own.channels.items())
                ),
                "paid": ", ".join(sorted(own.paid)),
                "parts": "\n".join(
                    f"{name}: {begins}-{ends}"
                    for name, (begins, ends) in sorted(own.parts.items(), key=lambda one: one[1])
                ),
                **{_FIELDS[name]: ", ".join(map(str, own.bands[name])) for name in BANDS},
                **{_FIELDS[name]: list(own.picked[name]) for name in LEVELS},
                "after": after,
            }
        )

    def clean_channels(self) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(dict.fromkeys(_words(said))) for name, said in _lines(self.cleaned_data["channels"])
        }

    def clean_paid(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_words(self.cleaned_data["paid"])))

    def clean_parts(self) -> dict[str, tuple[int, int]]:
        found = {}
        for name, said in _lines(self.cleaned_data["parts"]):
            hours = _HOURS.fullmatch(said)
            if hours is None:
                raise forms.ValidationError(f"“{said[:40]}” is not two hours. Write it as 18-22.")
            found[name] = (int(hours[1]), int(hours[2]))
        return found

    def clean_narrow_bands(self) -> tuple[int, ...]:
        return _numbers(self.cleaned_data["narrow_bands"])

    def clean_bands(self) -> tuple[int, ...]:
        return _numbers(self.cleaned_data["bands"])

    def clean_wide_bands(self) -> tuple[int, ...]:
        return _numbers(self.cleaned_data["wide_bands"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                self.own.check()
            except OwnError as error:
                self.add_error(_FIELDS.get(error.part, error.part), str(error))
        return cleaned

    @property
    def own(self) -> Own:
        said = self.cleaned_data
        return Own(
            picked={
                name: tuple(step for step in steps if step in said[_FIELDS[name]])
                for name, steps in LEVELS.items()
            },
            channels=said["channels"],
            paid=said["paid"],
            bands={name: said[_FIELDS[name]] for name in BANDS},
            parts=said["parts"],
        )


def _words(said: str) -> list[str]:
    return [word for raw in said.split(",") if (word := " ".join(raw.split()))]


def _lines(said: str) -> list[tuple[str, str]]:
    """
    Each line's name, and what comes after its colon.

    :raises ValidationError: a line has none, or two lines have one name.
    """
    if redact.is_personal(said):
        raise forms.ValidationError("This looks like a number or an address. It would appear on data sheets.")
    found: dict[str, str] = {}
    for line in filter(None, (" ".join(raw.split()) for raw in said.splitlines())):
        name, colon, rest = line.partition(":")
        if not colon:
            raise forms.ValidationError(f"“{line[:40]}” has no colon between the name and what lies in it.")
        if name.strip() in found:
            raise forms.ValidationError(f"Two lines are called “{name.strip()[:40]}”.")
        found[name.strip()] = rest.strip()
    return list(found.items())


def _numbers(said: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in _words(said))
    except ValueError:
        raise forms.ValidationError("Write whole seconds with commas between them, as 0, 30, 60.") from None
