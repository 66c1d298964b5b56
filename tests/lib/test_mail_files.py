"""Where no mail server is set, mail lies where nobody else of the machine reads it."""

from pathlib import Path

from django.core.mail import EmailMessage

from callprivacy.lib.env import mailer
from callprivacy.lib.mail_files import EmailBackend


def test_the_folder_of_mail_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir(mode=0o755)
    entry = mailer("NO_SUCH_MAIL_URL", files=folder)
    assert entry["BACKEND"] == f"{EmailBackend.__module__}.EmailBackend"
    EmailBackend(**entry["OPTIONS"]).send_messages([EmailMessage("x", "y", "a@b.example", ["c@d.example"])])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(list(folder.iterdir())) == 1
