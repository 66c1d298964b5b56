"""Every component with sample values, as whole pages: for the eye (screenshots) and for the tests."""

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django import forms
from django.template import Context, Template
from django.template.loader import get_template
from django.test import RequestFactory

SAMPLES = Path(__file__).parent / "samples"
NOON = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)

LABELS = [
    ("Inbox", "queue", 12),
    ("Clients", "clients", None),
    ("Calls", "calls", None),
    ("Requests", "requests", 3),
    ("Consent", "consent", None),
    ("Reports", "reports", None),
    ("Compliance", "proof", None),
]
NAMES = ["Acme Dental", "Blue Harbour Plumbing", "Calder & Finch Solicitors", "Delft Outdoor Retail"]
SOURCES = ["Google Ads", "Organic search", "Facebook", "Direct mail"]


class CallFilter(forms.Form):
    """A filter as the list of calls has it."""

    client = forms.ChoiceField(choices=[("", "Any"), ("acme", "Acme Dental")], required=False)
    since = forms.DateField(required=False, label="From")
    until = forms.DateField(required=False, label="Until")
    source = forms.ChoiceField(choices=[("", "Any"), ("google", "Google Ads")], required=False)
    outcome = forms.ChoiceField(choices=[("", "Any"), ("answered", "Answered")], required=False)
    length = forms.IntegerField(required=False, label="At least, seconds")


class RevealForm(forms.Form):
    """One field of each kind."""

    reason = forms.ChoiceField(
        choices=[("", "Pick one"), ("complaint", "A complaint"), ("callback", "To call back")]
    )
    text = forms.CharField(
        widget=forms.Textarea,
        label="In a sentence",
        help_text="At least 15 characters. It is kept with the trail.",
    )
    email = forms.EmailField(required=False, label="Copy to")
    file = forms.FileField(required=False, label="Evidence")
    role = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[("reviewer", "Reviewer: reads and plays calls"), ("analyst", "Analyst: sees figures only")],
        label="Role",
    )
    sure = forms.BooleanField(label="I have told the client", help_text="They get a copy of this reason.")


class LoginForm(forms.Form):
    """What allauth's has."""

    login = forms.EmailField(label="Email", widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text='<a href="/accounts/password/reset/">Forgotten your password?</a>',
    )
    remember = forms.BooleanField(required=False, label="Remember me")


def shell(**more: Any) -> dict[str, Any]:
    """Return the context that dashboard.context.shell promises."""
    clients = [{"name": name, "slug": name[:4].lower(), "url": "#"} for name in NAMES]
    return {
        "nav": [
            {"label": label, "url": "#", "icon": icon, "active": label == "Calls", "count": count}
            for label, icon, count in LABELS
        ],
        "nav_settings": {"label": "Settings", "url": "#", "icon": "settings", "active": False},
        "nav_crumbs": [{"label": "Clients", "url": "#"}],
        "nav_tabs": [
            {"label": "Calls", "url": "#", "active": True},
            {"label": "Imports", "url": "#", "active": False},
        ],
        "nav_sections": [],
        "switcher_clients": clients,
        "clients_url": "/clients/",
        "current_client": clients[1],
        "bell_count": 4,
        "is_demo": True,
        "may_search": True,
        "new_menu": [
            {"label": "Client", "url": "#", "icon": "clients"},
            {"label": "Import calls", "url": "#", "icon": "upload"},
        ],
        "membership": {
            "user": {"name": "Alice Moreau", "email": "alice@northlight.example"},
            "agency": {"name": "Northlight"},
            "get_role_display": "Compliance officer",
        },
        "request": RequestFactory().get("/calls/", {"sort": "-start", "source": "google"}),
        "csrf_token": "x" * 64,
        **more,
    }


def context(**more: Any) -> Context:
    """Return the shell's context without the context processors, which need a person and a database."""
    values = shell(**more)
    made = Context(values)
    made.request = values["request"]  # type: ignore[attr-defined]  # what a middleware would set
    return made


def calls() -> str:
    """Return the list of calls."""
    tones = [
        ("Withheld", "sealed"),
        ("Kept", "good"),
        ("Due", "warn"),
        ("Past due", "bad"),
        ("None", "neutral"),
    ]
    rows = [
        {
            "name": f"Caller K{n % 7 + 2}-4{n % 10}Q",
            "mask": "+1 ••• ••• " + str(4686 + n * 17)[-4:],
            "client": NAMES[n % 4],
            "at": NOON - dt.timedelta(minutes=37 * n),
            "source": SOURCES[n % 4],
            "length": f"{n % 9}:{(n * 13) % 60:02}",
            "state": tones[n % 5],
            "first": n % 3 == 0,
        }
        for n in range(14)
    ]
    page = (SAMPLES / "calls.html").read_text()
    return Template(page).render(
        context(
            rows=rows,
            filter=CallFilter({"source": "google"}),
            messages=[Message("Export is ready.", "success")],
        )
    )


class Message:
    """A message as django.contrib.messages gives it."""

    def __init__(self, text: str, level_tag: str) -> None:
        self.text, self.level_tag = text, level_tag

    def __str__(self) -> str:
        return self.text


def parts() -> str:
    """Return all the other components on one page."""
    days = [(NOON - dt.timedelta(days=30 - n)).strftime("%-d %b") for n in range(30)]
    rows = [
        [day, 40 + (n * 7) % 23 + (n % 7) * 6, 12 + (n * 5) % 11, 3 + n % 4] for n, day in enumerate(days)
    ]
    page = (SAMPLES / "parts.html").read_text()
    form = RevealForm({"reason": "", "text": "short", "email": "x", "role": "reviewer"})
    form.add_error(None, "Eleven reveals in this hour: the limit of your agency is ten.")
    form.add_error("text", "Write at least 15 characters, so that it says why.")
    marks = [("withheld", "sealed"), ("good", "good"), ("warn", "warn"), ("clock", "")]
    return Template(page).render(
        context(
            chart={"series": ["Answered", "Missed", "Voicemail"], "rows": rows},
            form=form,
            many=range(1, 13),
            stays=["The suppression entry, so that the number is not called", "3 consents, until 2029"],
            pictures=[
                "clients",
                "queue",
                "trail",
                "retention",
                "consent",
                "reports",
                "people",
                "connections",
                "search",
                "done",
            ],
            icons=sorted(ICONS),
            tabs=[
                {"label": "Profile", "url": "#", "active": True},
                {"label": "Numbers and connections", "url": "#", "count": 14},
                {"label": "People", "url": "#", "count": 5},
                {"label": "Policies", "url": "#"},
            ],
            facts=[
                {"label": "Start", "value": "24 Nov 2026, 08:41 EST"},
                {
                    "label": "Tracking number",
                    "value": "Spring mailer",
                    "url": "#",
                    "hint": "Google Ads, Miami",
                },
                {"label": "Recording", "value": "Withheld", "pill": "sealed"},
                {"label": "Leaves on", "value": "24 Feb 2027", "hint": "in 92 days"},
            ],
            extent=[
                {"label": "Calls", "value": "412"},
                {"label": "Recordings", "value": "371"},
                {"label": "Callers", "value": "288"},
                {"label": "Oldest", "value": "2 Jan 2025"},
            ],
            events=[
                {
                    "at": NOON - dt.timedelta(hours=n * 5),
                    "title": title,
                    "tone": tone,
                    "icon": icon,
                    "by": "Alice Moreau",
                }
                for n, (title, (icon, tone)) in enumerate(
                    zip(
                        ["Recording withheld", "Consent proven", "Text: please stop", "Call began"],
                        marks,
                        strict=True,
                    )
                )
            ],
        )
    )


ICONS = re.findall(r'id="([a-z-]+)"', (SAMPLES.parents[2] / "static/src/icons.svg").read_text())


def login() -> str:
    """Return the sign-in page, after a wrong password."""
    form = LoginForm({"login": "alice@northlight.example", "password": "x"})
    form.add_error(None, "The e-mail address or the password is not right.")
    return _page("account/login.html", form=form)


def password() -> str:
    """Return the page that changes a password."""

    class PasswordForm(forms.Form):
        oldpassword = forms.CharField(
            widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}), label="Current password"
        )
        password1 = forms.CharField(
            widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
            label="New password",
            help_text="<ul><li>At least 12 characters</li><li>A capital, a digit and a sign</li></ul>",
        )

    return _page("account/password_change.html", form=PasswordForm())


def sessions() -> str:
    """Return the list of one's sessions."""
    rows = [
        {"pk": pk, "session_key": key, "ip": "198.51.100.7", "created_at": NOON, "last_seen_at": NOON}
        for pk, key in enumerate(("here", "there"), start=1)
    ]
    sessions = [{"row": row, "browser": "Firefox on Linux"} for row in rows]
    return _page("accounts/sessions.html", sessions=sessions, current="here")


def plain(name: str) -> str:
    """Return an error page, which gets no context."""
    return get_template(f"{name}.html").render()


def _page(template: str, **more: Any) -> str:
    compiled = get_template(template).template  # type: ignore[attr-defined]  # the engine's own
    return str(compiled.render(context(**more)))


PAGES: dict[str, Callable[[], str]] = {
    "calls": calls,
    "parts": parts,
    "login": login,
    "password": password,
    "sessions": sessions,
    "404": lambda: plain("404"),
}
