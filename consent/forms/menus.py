"""What people type about telephone menus and texts, and what they decide about a message."""

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms

from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.lib import phone
from callprivacy.lib.forms import LineField
from callprivacy.tenancy.models import Client
from consent.channels import twilio
from consent.enums import Language, Purpose
from consent.models import Notice, NoticeVersion, PhoneMenu
from consent.selectors import menus as selectors
from consent.selectors.replies import Candidate

_ACCOUNT: Final = re.compile(r"AC[0-9a-fA-F]{32}", re.ASCII).fullmatch
_ORDER: Final = {
    "en": "English first, Spanish with key 3",
    "es": "Spanish first, English with key 3",
    "en-only": "English only",
    "es-only": "Spanish only",
}
_PURPOSES: Final = (
    (Purpose.RECORD, "being recorded"),
    (Purpose.REVIEW, "being listened to"),
    (Purpose.ANALYSE, "being analyzed"),
    (Purpose.CONTACT, "being called and texted"),
    (Purpose.SHARE, "having data shared or sold"),
)


class MenuForm(forms.Form):
    """
    How the menu of one number is set up.

    :param may_connect: whether the person may say which lines the client's calls go on to.
    """

    number = forms.ChoiceField(label="Number")
    connection = forms.ChoiceField(label="Twilio connection", help_text="The account that owns the number.")
    languages = forms.ChoiceField(label="Languages", choices=list(_ORDER.items()))
    english = forms.ChoiceField(
        label="Notice in English", required=False, help_text="Required if the menu offers English."
    )
    spanish = forms.ChoiceField(
        label="Notice in Spanish", required=False, help_text="Required if the menu offers Spanish."
    )
    forward_to = LineField(
        label="Forward calls to",
        max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}),
        help_text="The client's own line, not a tracking number.",
    )
    person_line = LineField(
        label="Line for questions about recording",
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}),
        help_text="Key 0 connects here. If empty, key 0 connects to the line above.",
    )
    wait_seconds = forms.IntegerField(
        label="Seconds to wait for a key",
        min_value=3,
        max_value=30,
        initial=6,
        help_text="Counted from the end of the notice. After that, the call continues without a recording.",
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        client: Client,
        menu: PhoneMenu | None = None,
        may_connect: bool = True,
    ) -> None:
        self.client = client
        self.menu = menu
        self._numbers = {str(row.pk): row for row in selectors.numbers_without_menu(client)}
        self._connections = {str(row.pk): row for row in selectors.connections_to_twilio(client)}
        if menu is not None:
            self._connections.setdefault(str(menu.connection_id), menu.connection)
        found = selectors.notices_for_menus(client)
        self._notices = {str(row.pk): row for row in found}
        super().__init__(data, initial=_initial(menu) if menu is not None else None)
        self._choose("number", [(key, _number(row)) for key, row in self._numbers.items()], "Choose a number")
        if menu is not None:
            del self.fields["number"]
        self._choose("connection", [(key, row.name) for key, row in self._connections.items()], None)
        for name, language in (("english", Language.ENGLISH), ("spanish", Language.SPANISH)):
            spoken = [(str(row.pk), row.name) for row in found if row.language == language]
            self._choose(name, spoken, "No notice")
        if not may_connect:
            for name in ("connection", "forward_to", "person_line"):
                self.fields[name].disabled = True
                self.fields[name].help_text = "Only a team member who manages connections can change this."

    def _choose(self, name: str, choices: Sequence[tuple[str, str]], nothing: str | None) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (for the types)
        field.choices = [*([("", nothing)] if nothing else []), *choices]

    def clean_forward_to(self) -> str:
        return self._line("forward_to")

    def clean_person_line(self) -> str:
        return self._line("person_line") if self.cleaned_data["person_line"] else ""

    def _line(self, name: str) -> str:
        found = phone.normalise(self.cleaned_data[name], self.client.home_country)
        if found is None:
            raise forms.ValidationError(
                "Enter a valid phone number with its area code, or with + and the country code."
            )
        return found

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        order = cleaned.get("languages", "")
        wanted = {"en": ("english", "spanish"), "es": ("spanish", "english")}
        alone = {"en-only": ("english",), "es-only": ("spanish",)}
        for name in wanted.get(order) or alone.get(order) or ():
            if name in cleaned and not cleaned[name]:
                self.add_error(name, "Choose a notice. Create one under Notices if the list is empty.")
        return cleaned

    @property
    def tracking_number(self) -> TrackingNumber:
        """The number that was chosen; for a new menu alone."""
        return self._numbers[self.cleaned_data["number"]]

    @property
    def facts(self) -> dict[str, Any]:
        """What the services take."""
        cleaned, order = self.cleaned_data, self.cleaned_data["languages"]
        first = Language.ENGLISH if order.startswith("en") else Language.SPANISH
        own, other = ("english", "spanish") if first is Language.ENGLISH else ("spanish", "english")
        connection: Connection = self._connections[cleaned["connection"]]
        notice: Notice = self._notices[cleaned[own]]
        return {
            "connection": connection,
            "language": first,
            "notice": notice,
            "other_notice": self._notices[cleaned[other]] if order in {"en", "es"} else None,
            "forward_to": cleaned["forward_to"],
            "person_line": cleaned["person_line"],
            "wait_seconds": cleaned["wait_seconds"],
        }


def _initial(menu: PhoneMenu) -> dict[str, Any]:
    own, other = ("english", "spanish") if menu.language == Language.ENGLISH else ("spanish", "english")
    return {
        "connection": str(menu.connection_id),
        "languages": menu.language if menu.other_notice_id else f"{menu.language}-only",
        own: str(menu.notice_id),
        other: str(menu.other_notice_id or ""),
        "forward_to": menu.forward_to,
        "person_line": menu.person_line,
        "wait_seconds": menu.wait_seconds,
    }


def _number(row: TrackingNumber) -> str:
    return f"{row.label} ({row.number})" if row.label else row.number


class AccountForm(forms.Form):
    """Which of Twilio's accounts a connection belongs to, and how it treats STOP."""

    account = LineField(
        label="Account SID",
        max_length=34,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Account or subaccount that owns the numbers: AC and 32 characters. If empty, the first call or text "
        "that Twilio signs sets it.",
    )
    secret = LineField(
        label="Auth token of the new account",
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Required only to change accounts. Tokens of the previous account stop working at once.",
    )
    redaction = forms.BooleanField(
        label="Phone number redaction is on in this account",
        required=False,
        help_text="Twilio then does not reply to STOP and START, so CallPrivacy confirms them.",
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, connection: Connection) -> None:
        initial = {
            "account": connection.mapping.get("account", ""),
            "redaction": connection.mapping.get("twilio_answers", True) is False,
        }
        super().__init__(data, initial=initial)

    def clean_account(self) -> str:
        account = str(self.cleaned_data["account"]).strip()
        if account and not (_ACCOUNT(account) and twilio.is_account(account)):
            raise forms.ValidationError("Enter AC followed by 32 digits or letters from a to f.")
        return account


class DecisionForm(forms.Form):
    """What a message is taken to mean. A no needs somebody whose it is; `is_named` says that the person is known."""

    outcome_choices: Final = (
        ("withdrawn", "Withdraws consent"),
        ("refused", "Declines our request for consent"),
        ("nothing", "Neither: about something else"),
    )
    of_nobody: Final = ("nobody", "Unknown sender who cannot be identified")
    decision = forms.ChoiceField(
        label="Meaning of the message", choices=outcome_choices, widget=forms.RadioSelect
    )
    purposes = forms.MultipleChoiceField(
        label="Withdrawn purposes",
        choices=[(purpose.value, words.capitalize()) for purpose, words in _PURPOSES],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Only for a withdrawal. If in doubt, select all: unclear text counts as a withdrawal.",
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, is_named: bool = True) -> None:
        super().__init__(data)
        self._is_named = is_named
        if not is_named:
            field = self.fields["decision"]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  (for the types)
            field.choices = [*self.outcome_choices, self.of_nobody]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self._is_named and cleaned.get("decision") in {"withdrawn", "refused"}:
            self.add_error(
                "decision", "Identify the sender above first. An opt-out applies to a person, by number."
            )
        elif cleaned.get("decision") == "withdrawn" and not cleaned.get("purposes"):
            self.add_error("purposes", "Select at least one withdrawn purpose.")
        return cleaned

    @property
    def withdrawn(self) -> frozenset[Purpose]:
        if self.cleaned_data["decision"] != "withdrawn":
            return frozenset()
        return frozenset(Purpose(value) for value in self.cleaned_data["purposes"])

    @property
    def refused(self) -> bool:
        return bool(self.cleaned_data["decision"] == "refused")

    @property
    def outcome(self) -> str:
        """What the page says afterwards."""
        if self.refused:
            return "Refusal saved."
        if self.cleaned_data["decision"] == "nobody":
            return "Saved as an unknown sender. Nothing changes."
        named = [words for purpose, words in _PURPOSES if purpose in self.withdrawn]
        return f"Withdrawn: {', '.join(named)}." if named else "Saved. The message withdraws nothing."


class WriterForm(forms.Form):
    """Who wrote a mail: somebody who gave its address, or whoever has a number. The number is not kept."""

    somebody_else: Final = ("else", "Another person, with this phone number:")
    caller = forms.ChoiceField(
        label="Sender",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose the sender."},
    )
    number = LineField(
        label="Phone number",
        max_length=64,
        widget=forms.TelInput({"autocomplete": "off"}),
        help_text="If the message has no number, ask the sender. A new number is added to the callers.",
        error_messages={"required": "Enter the phone number."},
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, candidates: Sequence[Candidate]) -> None:
        super().__init__(data)
        field = self.fields["caller"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (for the types)
        field.choices = [
            *(
                (str(one.caller_id), f"{one.name}, invited with “{one.invitation.version.notice.name}”")
                for one in candidates
            ),
            self.somebody_else,
        ]
        if candidates:
            self.fields["number"].required = False
        else:
            del self.fields["caller"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("caller") == "else" and not cleaned.get("number"):
            self.add_error("number", "Enter the phone number.")
        return cleaned

    @property
    def caller_id(self) -> uuid.UUID | None:
        """The person who was picked; None where the number says who."""
        picked = self.cleaned_data.get("caller", "else")
        return None if picked == "else" else uuid.UUID(picked)


class InviteForm(forms.Form):
    """Which words are sent."""

    version = forms.ChoiceField(label="Notice", widget=forms.RadioSelect)

    def __init__(self, data: Mapping[str, Any] | None = None, *, versions: Sequence[NoticeVersion]) -> None:
        self._versions = {str(row.pk): row for row in versions}
        super().__init__(data)
        field = self.fields["version"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (for the types)
        field.choices = [
            (key, f"{row.notice.name}, {row.notice.get_language_display()}, version {row.number}")
            for key, row in self._versions.items()
        ]
        if len(versions) == 1:
            field.initial = str(versions[0].pk)

    def clean_version(self) -> NoticeVersion:
        return self._versions[str(self.cleaned_data["version"])]
