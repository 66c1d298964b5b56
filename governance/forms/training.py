"""What people type of training."""

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
    The questions of one try: a field `q_NUMBER` each, whose value is the place of the answer on the page. The course
    names the right answer first, and its own order is not told.
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
                error_messages={"required": "Pick an answer."},
            )

    def answers(self) -> dict[int, int]:
        """Number of the question -> place of the answer in the course."""
        return {one.number: one.choices[self.cleaned_data[f"q_{one.number}"]][0] for one in self.drawn}


class RulesForm(forms.Form):
    """Which roles take a course; a field for each, empty where it need not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for role in Role:
            self.fields[role.value] = forms.IntegerField(
                label=role.label,
                min_value=1,
                max_value=365,
                required=False,
                help_text="days from joining",
            )

    def within(self) -> dict[Role, int]:
        """Role -> days."""
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
        raise forms.ValidationError("Name a day within a year.")
    return day


def _why(label: str = "Why") -> forms.CharField:
    return forms.CharField(label=label, min_length=15, max_length=500, widget=forms.Textarea({"rows": 2}))


class AssignForm(_People):
    """Have people take a course, whatever their role says."""

    course = forms.ChoiceField(label="Course")
    due_on = DayField(label="To be passed by")
    people = forms.MultipleChoiceField(label="People", widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["due_on"].initial = today + timedelta(days=14)

    def clean_due_on(self) -> date:
        return _within_a_year(self.cleaned_data["due_on"], self.today)


class TakeBackForm(forms.Form):
    """Why somebody need not take a course after all."""

    reason = _why()


class MoveForm(TakeBackForm):
    """Another day for somebody."""

    due_on = DayField(label="To be passed by")
    was = DayField(required=False, widget=forms.HiddenInput)
    field_order = ("due_on", "reason")

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    def clean_due_on(self) -> date:
        return _within_a_year(self.cleaned_data["due_on"], self.today)


class OutsideForm(_People):
    """A certificate from elsewhere."""

    course = forms.ChoiceField(label="It stands for")
    people = forms.ChoiceField(label="Of whom")
    issuer = LineField(label="Issued by", max_length=120)
    passed_on = DayField(label="Passed on")
    valid_until = DayField(label="Valid until")
    file = forms.FileField(
        label="The certificate",
        required=False,
        help_text="A PDF or a picture of it, up to 8 MB. It is encrypted as it arrives and deleted with the proof.",
        error_messages={"empty": "The file is empty."},
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp,application/pdf"}),
    )

    def __init__(self, *args: Any, today: date, is_too_large: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today, self.is_too_large = today, is_too_large

    def clean_passed_on(self) -> date:
        day: date = self.cleaned_data["passed_on"]
        if day > self.today:
            raise forms.ValidationError("That day is still to come.")
        return day

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if self.is_too_large:
            self.add_error("file", "The file is larger than 8 MB. Save it smaller.")
        passed, until = said.get("passed_on"), said.get("valid_until")
        if passed and until and until <= passed:
            self.add_error("valid_until", "That is before it was passed.")
        if passed and until and until > passed + timedelta(days=3 * 366):
            self.add_error("valid_until", "Three years at most.")
        return said


class EndProofForm(forms.Form):
    """Why a proof does not count."""

    reason = _why("Why it does not count")


# --- Courses of one's own -------------------------------------------------------------------------------------------


def _lines(label: str, *, help_text: str, rows: int = 3) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=3000, widget=forms.Textarea({"rows": rows}), help_text=help_text
    )


def _split(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


class CourseForm(forms.Form):
    """What stands before the screens of a course."""

    title = LineField(label="Title", max_length=120)
    about = LineField(label="In one sentence", max_length=300, help_text="People read it before they begin.")
    minutes = forms.IntegerField(
        label="Takes about", min_value=1, max_value=240, initial=15, help_text="Minutes."
    )
    valid_months = forms.IntegerField(
        label="Counts for", min_value=1, max_value=36, initial=12, help_text="Months; then it is due again."
    )
    reviewed_on = DayField(
        label="Looked over on", help_text="When somebody last checked that all of it is right."
    )
    sources = _lines("Sources", help_text="One a line: a law, a guideline, a page of your own.")

    def clean_sources(self) -> list[str]:
        found = _split(self.cleaned_data["sources"])
        if any(len(line) > 300 for line in found) or len(found) > 30:
            raise forms.ValidationError("Name up to 30 sources, each in up to 300 characters.")
        return found

    def facts(self) -> Facts:
        """What was typed, as the service takes it."""
        return Facts(**self.cleaned_data)


class ScreenForm(forms.Form):
    title = LineField(label="Heading", max_length=120)
    text = forms.CharField(
        label="Text",
        max_length=8000,
        widget=forms.Textarea({"rows": 16, "spellcheck": "true"}),
        help_text="Markdown: a blank line between paragraphs, - before each line of a list, **bold**, "
        "[words](https://address). A picture of this course: ![what it shows](picture:its-name).",
    )


class QuestionForm(forms.Form):
    """One question of a course; the answers are shown in another order each time."""

    words = LineField(label="Question", max_length=300)
    right = LineField(label="The right answer", max_length=200)
    wrong = _lines("Wrong answers", help_text="Two to five, one a line.")
    why = forms.CharField(
        label="Why",
        max_length=500,
        widget=forms.Textarea({"rows": 2}),
        help_text="Shown after a right answer.",
    )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        wrong = _split(said.get("wrong", ""))
        if "wrong" in said and not 2 <= len(wrong) <= 5:
            self.add_error("wrong", "Write two to five wrong answers, one a line.")
        elif any(len(line) > 200 for line in wrong):
            self.add_error("wrong", "An answer has up to 200 characters.")
        elif len({said.get("right", ""), *wrong}) <= len(wrong):
            self.add_error("wrong", "An answer stands twice.")
        return said

    def answers(self) -> list[str]:
        """The right one first."""
        return [self.cleaned_data["right"], *_split(self.cleaned_data["wrong"])]


class PictureForm(forms.Form):
    name = forms.SlugField(
        label="Name",
        max_length=60,
        help_text="Small letters, digits and hyphens; screens call it by this name.",
    )
    file = forms.FileField(
        label="File",
        widget=forms.FileInput({"accept": "image/png,image/jpeg,image/webp"}),
        help_text="PNG, JPEG or WebP, up to 4 MB. Where and with what a photo was taken is left out.",
    )

    def clean_file(self) -> bytes:
        file = self.cleaned_data["file"]
        if file.size > pictures.LARGEST:
            raise forms.ValidationError(pictures.TOO_LARGE)
        return bytes(file.read())


class ArrangeForm(forms.Form):
    """Which part of a draft is moved up or taken out."""

    part = forms.ChoiceField(choices=[("screens", "Screen"), ("questions", "Question")])
    place = forms.IntegerField(min_value=1)
    deed = forms.ChoiceField(choices=[("up", "Move up"), ("out", "Take out")])


class CampaignForm(forms.Form):
    course = forms.ChoiceField(label="Course", required=False)
    role = forms.ChoiceField(label="Role", choices=[("", "All roles"), *Role.choices], required=False)

    def __init__(self, *args: Any, offered: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["course"]).choices = [("", "All courses"), *offered.items()]
