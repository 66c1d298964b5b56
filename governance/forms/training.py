"""Forms for training."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, cast

from django import forms

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.lib.forms import DayField, LineField
from governance.channels import pictures
from governance.courses import Asked, Course
from governance.services.courses import Facts


class AnswersForm(forms.Form):
    """
    The questions of one attempt: a field `q_NUMBER` each, whose value is the answer's position on the page. The course
    lists the correct answer first, so the page must not expose the course's order.
    """

    def __init__(self, *args: Any, drawn: Sequence[Asked], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drawn = drawn
        for one in drawn:
            self.fields[f"q_{one.number}"] = forms.TypedChoiceField(
                label=one.question.words,
                choices=[(str(shown), words) for shown, (_, words) in enumerate(one.choices)],
                coerce=int,
                widget=forms.RadioSelect,
                error_messages={"required": "Select an answer."},
            )

    def answers(self) -> dict[int, int]:
        """Number of the question -> position of the answer in the course."""
        return {one.number: one.choices[self.cleaned_data[f"q_{one.number}"]][0] for one in self.drawn}


class RulesForm(forms.Form):
    """One field for each role, in days; empty where the course is optional."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for role in Role:
            self.fields[role.value] = forms.IntegerField(
                label=role.label,
                min_value=1,
                max_value=365,
                required=False,
                help_text="days after joining",
            )

    def within(self) -> dict[Role, int]:
        return {role: days for role in Role if (days := self.cleaned_data.get(role.value))}


class _People(forms.Form):
    def __init__(
        self, *args: Any, people: Sequence[Membership], courses: Mapping[str, Course], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["course"]).choices = [
            (name, course.title) for name, course in courses.items()
        ]
        cast(forms.MultipleChoiceField, self.fields["people"]).choices = [
            (str(row.user_id), f"{row.user} ({row.get_role_display()})") for row in people
        ]


def _within_a_year(day: date, today: date) -> date:
    if not today <= day <= today + timedelta(days=366):
        raise forms.ValidationError("Enter a date within one year.")
    return day


def _why(label: str = "Reason") -> forms.CharField:
    return forms.CharField(label=label, min_length=15, max_length=500, widget=forms.Textarea({"rows": 2}))


class AssignForm(_People):
    course = forms.ChoiceField(label="Course")
    due_on = DayField(label="Due date")
    people = forms.MultipleChoiceField(label="People", widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["due_on"].initial = today + timedelta(days=14)

    def clean_due_on(self) -> date:
        return _within_a_year(self.cleaned_data["due_on"], self.today)


class TakeBackForm(forms.Form):
    reason = _why()


class MoveForm(TakeBackForm):
    due_on = DayField(label="Due date")
    was = DayField(required=False, widget=forms.HiddenInput)
    field_order = ("due_on", "reason")

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    def clean_due_on(self) -> date:
        return _within_a_year(self.cleaned_data["due_on"], self.today)


class OutsideForm(_People):
    course = forms.ChoiceField(label="Course")
    people = forms.ChoiceField(label="Person")
    issuer = LineField(label="Issued by", max_length=120)
    passed_on = DayField(label="Passed on")
    valid_until = DayField(label="Valid until")
    file = forms.FileField(
        label="Certificate file",
        required=False,
        help_text="PDF or picture, up to 8 MB. Stored encrypted.",
        error_messages={"empty": "The file is empty."},
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp,application/pdf"}),
    )

    def __init__(self, *args: Any, today: date, is_too_large: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today, self.is_too_large = today, is_too_large

    def clean_passed_on(self) -> date:
        day: date = self.cleaned_data["passed_on"]
        if day > self.today:
            raise forms.ValidationError("The date is in the future.")
        return day

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.is_too_large:
            self.add_error("file", "The file is larger than 8 MB. Upload a smaller file.")
        passed, until = data.get("passed_on"), data.get("valid_until")
        if passed and until and until <= passed:
            self.add_error("valid_until", "The date must be after the date passed.")
        if passed and until and until > passed + timedelta(days=3 * 366):
            self.add_error("valid_until", "Enter a date within three years of the date passed.")
        return data


class EndProofForm(forms.Form):
    reason = _why()


# --- Custom courses -------------------------------------------------------------------------------------------------


def _lines(label: str, *, help_text: str, rows: int = 3) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=3000, widget=forms.Textarea({"rows": rows}), help_text=help_text
    )


def _split(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


class CourseForm(forms.Form):
    title = LineField(label="Title", max_length=120)
    about = LineField(label="Summary", max_length=300, help_text="Shown in the list of courses.")
    minutes = forms.IntegerField(
        label="Duration", min_value=1, max_value=240, initial=15, help_text="In minutes."
    )
    valid_months = forms.IntegerField(
        label="Valid for", min_value=1, max_value=36, initial=12, help_text="In months."
    )
    reviewed_on = DayField(label="Reviewed on", help_text="When the content was last checked.")
    sources = _lines("Sources", help_text="One per line: a law, a guideline or an internal page.")

    def clean_sources(self) -> list[str]:
        sources = _split(self.cleaned_data["sources"])
        if any(len(line) > 300 for line in sources) or len(sources) > 30:
            raise forms.ValidationError("Enter up to 30 sources with up to 300 characters each.")
        return sources

    def facts(self) -> Facts:
        return Facts(**self.cleaned_data)


class ScreenForm(forms.Form):
    title = LineField(label="Heading", max_length=120)
    text = forms.CharField(
        label="Text",
        max_length=8000,
        widget=forms.Textarea({"rows": 16, "spellcheck": "true"}),
        help_text="Markdown: a blank line between paragraphs, - before each line of a list, **bold**, "
        "[text](https://address). A picture of this course: ![description](picture:its-name).",
    )


class QuestionForm(forms.Form):
    words = LineField(label="Question", max_length=300)
    right = LineField(label="Correct answer", max_length=200)
    wrong = _lines("Wrong answers", help_text="Two to five, one per line.")
    why = forms.CharField(
        label="Explanation",
        max_length=500,
        widget=forms.Textarea({"rows": 2}),
        help_text="Shown after a correct answer.",
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        wrong = _split(data.get("wrong", ""))
        if "wrong" in data and not 2 <= len(wrong) <= 5:
            self.add_error("wrong", "Enter two to five wrong answers, one per line.")
        elif any(len(line) > 200 for line in wrong):
            self.add_error("wrong", "Use up to 200 characters per answer.")
        elif len({data.get("right", ""), *wrong}) <= len(wrong):
            self.add_error("wrong", "Remove the duplicate answer.")
        return data

    def answers(self) -> list[str]:
        """The correct one first."""
        return [self.cleaned_data["right"], *_split(self.cleaned_data["wrong"])]


class PictureForm(forms.Form):
    name = forms.SlugField(
        label="Name",
        max_length=60,
        help_text="Lowercase letters, digits and hyphens.",
    )
    file = forms.FileField(
        label="File",
        widget=forms.FileInput({"accept": "image/png,image/jpeg,image/webp"}),
        help_text="PNG, JPEG or WebP, up to 4 MB. Photo metadata is removed.",
    )

    def clean_file(self) -> bytes:
        file = self.cleaned_data["file"]
        if file.size > pictures.LARGEST:
            raise forms.ValidationError(pictures.TOO_LARGE)
        return bytes(file.read())


class ArrangeForm(forms.Form):
    part = forms.ChoiceField(choices=[("screens", "Screen"), ("questions", "Question")])
    place = forms.IntegerField(min_value=1)
    move = forms.ChoiceField(choices=[("up", "Move up"), ("out", "Remove")])


class CampaignForm(forms.Form):
    course = forms.ChoiceField(label="Course", required=False)
    role = forms.ChoiceField(label="Role", choices=[("", "All roles"), *Role.choices], required=False)

    def __init__(self, *args: Any, offered: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["course"]).choices = [("", "All courses"), *offered.items()]
