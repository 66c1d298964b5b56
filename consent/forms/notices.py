"""What people type about notices."""

from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.db.models import QuerySet
from django_filters import ChoiceFilter, FilterSet

from callprivacy.lib.forms import LineField, URLLineField
from consent.enums import Channel, Language, NoticeState, Purpose
from consent.models import Notice, NoticeVersion
from consent.selectors import wording
from consent.services.notices import Words

_CHANNELS = [(channel.value, channel.label) for channel in wording.NOTICE_CHANNELS]


class NoticeFilter(FilterSet):
    channel = ChoiceFilter(label="Channel", choices=_CHANNELS, empty_label="Any channel")
    language = ChoiceFilter(label="Language", choices=Language.choices, empty_label="Any language")
    state = ChoiceFilter(
        label="State",
        choices=[("published", "In force"), ("draft", "With a draft"), ("retired", "No longer in force")],
        empty_label="Any state",
        method="in_state",
    )

    def in_state(self, rows: QuerySet[Notice], _: str, value: str) -> QuerySet[Notice]:
        if value == NoticeState.RETIRED:
            return rows.exclude(versions__state__in=[NoticeState.PUBLISHED, NoticeState.DRAFT])
        return rows.filter(versions__state=value)


class KindForm(forms.Form):
    """What a new notice is for; the suggested text for it is filled in next."""

    channel = forms.ChoiceField(label="Channel", choices=_CHANNELS)
    language = forms.ChoiceField(choices=Language.choices)
    purposes = forms.MultipleChoiceField(
        label="Purposes",
        choices=Purpose.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="People consent to and withdraw each purpose separately. Ask only for purposes you use.",
    )

    def clean_channel(self) -> Channel:
        return Channel(self.cleaned_data["channel"])

    def clean_language(self) -> Language:
        return Language(self.cleaned_data["language"])

    def clean_purposes(self) -> list[Purpose]:
        return [Purpose(purpose) for purpose in self.cleaned_data["purposes"]]


class WordsForm(forms.Form):
    controller = LineField(
        max_length=200,
        required=False,
        help_text="Legal name of the company responsible for the data.",
    )
    words = forms.CharField(
        label="Text",
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 7}),
        help_text="Exact text that callers read or hear.",
    )
    withdraw = forms.CharField(
        label="How to withdraw",
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Appears after the text. Name a method that works on this channel.",
    )
    policy_url = URLLineField(
        label="Privacy policy", required=False, max_length=200, assume_scheme="https", help_text="https://..."
    )

    def said(self) -> Words:
        return Words(**{name: self.cleaned_data[name] for name in self.base_fields_of_words()})

    @staticmethod
    def base_fields_of_words() -> tuple[str, ...]:
        """The fields of the text, in every form with them."""
        return ("controller", "words", "withdraw", "policy_url")

    @classmethod
    def values_of(cls, words: Words | NoticeVersion) -> dict[str, Any]:
        return {name: getattr(words, name) for name in cls.base_fields_of_words()}


class NewNoticeForm(WordsForm):
    name = LineField(max_length=80, help_text="The name your team uses. Callers do not see it.")
    field_order = ("name",)


class DraftForm(WordsForm):
    """The next version of a notice, and its purposes while no version was published."""

    purposes = forms.MultipleChoiceField(
        label="Purposes", choices=Purpose.choices, widget=forms.CheckboxSelectMultiple
    )
    field_order = ("purposes",)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        purposes: Collection[str],
        fixed: bool,
        initial: Mapping[str, Any],
    ) -> None:
        super().__init__(data, initial={**initial, "purposes": list(purposes)})
        if fixed:
            field = self.fields["purposes"]
            field.disabled = True
            field.help_text = "Fixed after the first version. Create another notice for other purposes."

    def clean_purposes(self) -> list[Purpose]:
        return [Purpose(purpose) for purpose in self.cleaned_data["purposes"]]


class SeenForm(forms.Form):
    """The digest of the text that a person saw before publishing it."""

    seen = forms.RegexField(r"^[0-9a-f]{64}\Z", widget=forms.HiddenInput)

    def clean_seen(self) -> bytes:
        return bytes.fromhex(self.cleaned_data["seen"])


class CompareForm(forms.Form):
    old = forms.IntegerField(min_value=1, max_value=100_000)
    new = forms.IntegerField(min_value=1, max_value=100_000)
