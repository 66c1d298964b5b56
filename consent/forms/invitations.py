"""What people type about asking by e-mail."""

from collections.abc import Iterable
from typing import Any

from django import forms

from callprivacy.lib.forms import LineField
from consent.models import NoticeVersion


class BatchForm(forms.Form):
    """A list of people, and the words they get."""

    name = LineField(max_length=120, help_text='A name that you recognize, such as "October customers".')
    version = forms.ChoiceField(label="Notice")
    file = forms.FileField(
        label="List",
        help_text="CSV with an email address and a phone number on each line, up to 5,000 lines. It is encrypted on "
        "upload and deleted after it is read.",
        error_messages={"empty": "The file is empty.", "required": "Add the list."},
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )

    def __init__(self, *args: Any, versions: Iterable[NoticeVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._versions = {str(row.pk): row for row in versions}
        self.fields["version"] = forms.ChoiceField(
            label="Notice",
            choices=[
                (key, f"{row.notice.name}, {row.notice.get_language_display()}, version {row.number}")
                for key, row in self._versions.items()
            ],
            help_text="Invitations use the exact text of this published notice.",
        )

    def clean_version(self) -> NoticeVersion:
        return self._versions[self.cleaned_data["version"]]


class MailForm(forms.Form):
    """A message that came to another mailbox."""

    file = forms.FileField(
        label="Message",
        help_text="The .eml file that your mail program saves, up to 2 MB.",
        error_messages={"empty": "The file is empty.", "required": "Add the message."},
        widget=forms.FileInput(attrs={"accept": ".eml,message/rfc822"}),
    )
