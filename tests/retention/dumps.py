"""Real dumps: `manage.py` in a process of its own, as an operator runs it, and fresh databases to put dumps into."""

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connections

from callprivacy.audit import services as audit
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import envelopes
from tests import ground, make, starts
from tools import services


@dataclass(frozen=True)
class Operator:
    """Who makes backups: three folders, and a private key in a file."""

    home: Path
    identity: Path
    environ: dict[str, str]

    def dumps(self, database: str) -> list[Path]:
        return sorted((self.home / database).glob(f"{database}-*.age"))

    def key_of(self, dump: Path) -> Path:
        return self.home / "keys" / f"{dump.stem}.key"

    def run(self, *command: str, role: str | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `manage.py` on the databases that the test uses just now."""
        env = os.environ | self.environ | environ
        env.pop("CALLPRIVACY_ROLE", None)
        if role is not None:
            env["CALLPRIVACY_ROLE"] = role
        return starts.manage(*command, environ=env, stays=True)

    def do(self, *command: str, role: str | None = None, **environ: str) -> str:
        """The same, and it must work."""
        done = self.run(*command, role=role, **environ)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


def operator(home: Path) -> Operator:
    """An operator with a fresh key and empty folders below `home`."""
    secret, public = envelopes.new_identity()
    identity = home / "operator.key"
    identity.write_text(f"# public key: {public}\n{secret}\n")
    environ = {
        "CALLPRIVACY_STATE": str(settings.CALLPRIVACY_STATE),
        "CALLPRIVACY_BACKUP_DIR": str(home / "default"),
        "CALLPRIVACY_VAULT_BACKUP_DIR": str(home / "vault"),
        "CALLPRIVACY_VAULT_BACKUP_KEYS": str(home / "keys"),
        "CALLPRIVACY_BACKUP_RECIPIENTS": public,
    }
    return Operator(home, identity, environ)


def seal(agency_id: int) -> None:
    """Seal what an agency has done; a transaction of whichever test beside this one holds a seal up meanwhile."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        with job_scope(agency_id=agency_id):
            if audit.seal_events(agency_id=agency_id, at=make.now()):
                return
        time.sleep(0.2)
    raise AssertionError("Nothing could be sealed.")


@contextmanager
def carried(databases: ground.Databases, folder: Path) -> Iterator[None]:
    """
    The pair in use on a server of its own, whose transaction ids have just begun, as `pg_dump` of somebody else brings
    it there; the test goes on with it.
    """
    variables = {
        alias: (ground._VARIABLES[alias], ground._OWNER_VARIABLES[alias]) for alias in ground.ALIASES
    }
    here = ground.Pair(
        {alias: os.environ[app].split("@/")[1].split("?")[0] for alias, (app, _) in variables.items()},
        {alias: os.environ[app] for alias, (app, _) in variables.items()},
        {alias: os.environ[owner] for alias, (_, owner) in variables.items()},
    )
    folder.mkdir(mode=0o711)
    postgres = services.Postgres(
        services.Place.of(folder), settings={**ground._FAST, "max_connections": "40"}
    )
    postgres.start()
    before = {alias: connections.settings[alias] | {} for alias in ground.ALIASES}
    try:
        passwords = {role: secrets.token_hex(8) for role in (ground.OWNER, *ground.ROLES.values())}
        postgres.sql(services.role_statements(passwords))
        program = str(postgres.programs / "bin" / "pg_dump"), str(postgres.programs / "bin" / "pg_restore")
        for name in here.names.values():
            postgres.sql(f"CREATE DATABASE {name} OWNER {ground.OWNER} TEMPLATE template0")
            file = folder / f"{name}.dump"
            old, new = ground._address_of_admin(databases.admin_url, name), postgres.url(name)
            for command in (
                [program[0], "--format=custom", f"--file={file}", f"--dbname={old}"],
                [program[1], "--single-transaction", "--exit-on-error", f"--dbname={new}", str(file)],
            ):
                done = subprocess.run(
                    command, env=postgres._environ, capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, done.stderr
        ground.point_to(
            ground.Pair(
                here.names,
                *(
                    {
                        alias: postgres.url(here.names[alias], user=role, password=passwords[role])
                        for alias, role in roles.items()
                    }
                    for roles in (ground.ROLES, dict.fromkeys(ground.ALIASES, ground.OWNER))
                ),
            )
        )
        for alias in ground.ALIASES:
            there = {
                "HOST": str(postgres.place.sockets), "PORT": str(services.PORT), "USER": ground.ROLES[alias],
                "PASSWORD": passwords[ground.ROLES[alias]],
            }  # fmt: skip
            connections.settings[alias].update(there)
            connections[alias].settings_dict.update(there)
        yield
    finally:
        connections.close_all()
        for alias in ground.ALIASES:
            connections.settings[alias].update(before[alias])
            connections[alias].settings_dict.update(
                {name: before[alias][name] for name in ("HOST", "PORT", "USER", "PASSWORD")}
            )
        ground.point_to(here)
        postgres.stop()
        postgres.place.forget_if_elsewhere()


@contextmanager
def fresh(databases: ground.Databases, *aliases: str) -> Iterator[ground.Pair]:
    """The pair in use with empty databases in place of the named ones; the test goes on with it."""
    before = databases.current
    here = ground.Pair(
        {
            alias: os.environ[ground._VARIABLES[alias]].split("@/")[1].split("?")[0]
            for alias in ground.ALIASES
        },
        {alias: os.environ[ground._VARIABLES[alias]] for alias in ground.ALIASES},
        {alias: os.environ[ground._OWNER_VARIABLES[alias]] for alias in ground.ALIASES},
    )
    databases.made += 1
    made = databases._pair(f"cptest_{databases.run}_{databases.made}")
    for alias in aliases:
        name = made.names[alias]
        databases._execute(
            "CREATE DATABASE {name} OWNER {owner} TEMPLATE template0", name=name, owner=ground.OWNER
        )
        with psycopg.connect(ground._address_of_admin(databases.admin_url, name), autocommit=True) as link:
            link.execute(
                services.grant_statements(database=name, owner=ground.OWNER, app=ground.ROLES[alias]).encode()
            )
    mixed = ground.Pair(
        {alias: (made if alias in aliases else here).names[alias] for alias in ground.ALIASES},
        {alias: (made if alias in aliases else here).urls[alias] for alias in ground.ALIASES},
        {alias: (made if alias in aliases else here).owner_urls[alias] for alias in ground.ALIASES},
    )
    ground.point_to(mixed)
    try:
        yield mixed
    finally:
        ground.point_to(here)
        databases.current = before
        for alias in aliases:
            databases._execute("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=made.names[alias])
