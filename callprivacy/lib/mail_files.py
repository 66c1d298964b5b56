"""Mail as files, where no mail server is set."""

from pathlib import Path
from typing import Any

from django.core.mail.backends.filebased import EmailBackend as FileBackend


class EmailBackend(FileBackend):
    """Django's, in a folder that is its owner's alone: the links in a mail open accounts."""

    def __init__(self, **options: Any) -> None:
        folder = Path(options["file_path"])
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        super().__init__(**options)
