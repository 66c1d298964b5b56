"""
`python3 -m tools.new_env https://calls.example.com`: the two files that `compose.yaml` reads, with secrets made now.

`.env` has what the databases and the release need: whoever has it owns them. `program.env` has what web, worker and
beat need, and nothing of the owner's. Both are of mode 600; what is there already is not written over. Standard library
only.
"""

import base64
import os
import secrets
import sys
from pathlib import Path

from tools import arguments


def files(address: str) -> dict[str, dict[str, str]]:
    """Return file -> variables of one installation on one machine, every secret new."""
    owner, app, vault, valkey = (secrets.token_hex(24) for _ in range(4))

    def database(role: str, password: str, name: str) -> str:
        return f"postgresql://callprivacy_{role}:{password}@postgres:5432/{name}"

    return {
        ".env": {
            "POSTGRES_PASSWORD": secrets.token_hex(24),
            "OWNER_PASSWORD": owner,
            "APP_PASSWORD": app,
            "VAULT_PASSWORD": vault,
            "VALKEY_PASSWORD": valkey,
            "DATABASE_OWNER_URL": database("owner", owner, "callprivacy"),
            "VAULT_DATABASE_OWNER_URL": database("owner", owner, "callprivacy_vault"),
        },
        "program.env": {
            "CALLPRIVACY_URL": address,
            "CALLPRIVACY_PROXY_COUNT": "1",
            "CALLPRIVACY_SECRET_KEY": secrets.token_urlsafe(64),
            "FIELD_ENCRYPTION_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "CALLPRIVACY_SIGNING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "CALLPRIVACY_METRICS_TOKEN": secrets.token_urlsafe(32),
            "CALLPRIVACY_PLAIN_HOSTS": "postgres valkey",
            "DATABASE_URL": database("app", app, "callprivacy"),
            "VAULT_DATABASE_URL": database("vault", vault, "callprivacy_vault"),
            "REDIS_URL": f"redis://:{valkey}@valkey:6379/0",
            "MAIL_URL": "smtp://user:password@mail.example.com:587",
        },
    }


def write(folder: Path, address: str) -> list[Path]:
    """
    Write both files; returns them.

    :raises FileExistsError: one is there already.
    """
    made = files(address)
    for name in made:
        if (folder / name).exists():
            raise FileExistsError(name)
    for name, variables in made.items():
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write("".join(f"{variable}={value}\n" for variable, value in variables.items()))
    return [folder / name for name in made]


def main() -> int:
    """Write them here, and say what is left to do."""
    address = arguments.parse(__doc__, "address").address.rstrip("/")
    if not address.startswith("https://") or address.count("/") != 2:
        print(
            "Write the address that people open: python3 -m tools.new_env https://calls.example.com",
            file=sys.stderr,
        )
        return 2
    try:
        made = write(Path.cwd(), address)
    except FileExistsError as error:
        print(
            f"{error} is there already: its secrets open what was sealed. Nothing was written.",
            file=sys.stderr,
        )
        return 1
    print(f"Written: {', '.join(path.name for path in made)}. Set MAIL_URL in program.env, and put a copy of")
    print("FIELD_ENCRYPTION_KEY and CALLPRIVACY_SIGNING_KEY into a safe: without them nothing opens.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
