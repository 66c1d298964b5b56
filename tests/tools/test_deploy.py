"""What operators start from says the same as the program: compose, systemd, image, nginx, alerts and the runbook."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.urls import reverse
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from callprivacy.audit import selectors as trail
from callprivacy.calls.http import UPLOAD_AT_MOST
from callprivacy.calls.views import hooks
from callprivacy.lib import figures
from consent.services import list_checks, posted, registers, terms
from dashboard.services import readiness
from governance.services import certificates
from retention.selectors import storage, watch
from retention.selectors.watch import House, Reading
from rights.services import proofs
from tests import starts
from tests.make import NOON
from tools import alive, check, new_env, release, services, supervise

ROOT = Path(__file__).resolve().parent.parent.parent
COMMANDS = supervise.read_procfile(ROOT / "Procfile")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


COMPOSE: dict[str, Any] = yaml.safe_load(read("compose.yaml"))
ALERTS: list[dict[str, Any]] = yaml.safe_load(read("deploy/alerts.yaml"))["groups"][0]["rules"]
ALERT_TESTS: list[dict[str, Any]] = yaml.safe_load(read("deploy/alerts_test.yaml"))["tests"]


# --- processes ---


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_compose_starts_what_the_procfile_starts(name: str) -> None:
    assert " ".join(COMPOSE["services"][name]["command"]) == COMMANDS[name]
    assert COMPOSE["services"][name]["healthcheck"]["test"][-1] == name


@pytest.mark.parametrize(
    ("environ", "ran"),
    [
        ({}, "manage.py collectstatic --noinput"),
        ({"DATABASE_OWNER_URL": "postgresql://"}, "-m tools.release"),
    ],
    ids=["without the owner's addresses", "with them"],
)
def test_a_platforms_release_migrates_only_where_it_is_the_owner(
    environ: dict[str, str], ran: str, tmp_path: Path
) -> None:
    (line,) = [line for line in read("Procfile").splitlines() if line.startswith("release: ")]
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$*"\n')
    python.chmod(0o700)
    path = f"{tmp_path}:/usr/bin:/bin"
    done = subprocess.run(
        ["/bin/sh", "-ec", line.removeprefix("release: ")],
        env={"PATH": path} | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{ran}\n"


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_systemd_starts_what_the_procfile_starts_and_starts_it_again(name: str) -> None:
    unit = read(f"deploy/systemd/callprivacy-{name}.service")
    assert f"ExecStart=/opt/callprivacy/.venv/bin/{COMMANDS[name]}\n" in unit
    assert "Restart=always" in unit
    assert "KillMode=mixed" in unit
    assert "owner" not in unit


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_a_container_has_nothing_of_the_owners(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["restart"] == "always"
    assert service["env_file"] == ([] if name == "beat" else "program.env")
    assert service.get("environment", {}).keys() == ({"REDIS_URL"} if name == "beat" else set())
    assert int(service["stop_grace_period"].rstrip("s")) > 25


NGINX_MAY = {"CHOWN", "DAC_READ_SEARCH", "NET_BIND_SERVICE", "SETGID", "SETUID"}


def _may_too_much(name: str, service: dict[str, Any]) -> set[str]:
    """What a container may that it need not."""
    locks = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
    return {
        *(lock for lock, value in locks.items() if service.get(lock) != value),
        *(set(service.get("cap_add", [])) - (NGINX_MAY if name == "nginx" else set())),
        *({"privileged", "cgroup", "devices", "ipc", "pid"} & service.keys()),
    }


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_container_may_do_little(name: str) -> None:
    assert _may_too_much(name, COMPOSE["services"][name]) == set()


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"cap_drop": ["NET_RAW"]}, "cap_drop"),
        ({"cap_add": ["SYS_ADMIN"]}, "SYS_ADMIN"),
        ({"security_opt": []}, "security_opt"),
        ({"read_only": False}, "read_only"),
        ({"privileged": True}, "privileged"),
    ],
)
def test_a_container_that_may_more_is_found(changed: dict[str, Any], found: str) -> None:
    assert _may_too_much("web", COMPOSE["services"]["web"] | changed) == {found}


@pytest.mark.parametrize(
    "unit", sorted((ROOT / "deploy/systemd").glob("*.service")), ids=lambda unit: unit.stem
)
def test_a_unit_may_do_little(unit: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not on this machine")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()[-200:]


def test_beat_starts_with_nothing_but_the_broker(settings: Settings, tmp_path: Path) -> None:
    assert "EnvironmentFile=/etc/callprivacy/beat.env\n" in read("deploy/systemd/callprivacy-beat.service")
    with subprocess.Popen(
        [sys.executable, "-m", *COMMANDS["beat"].split(), f"--schedule={tmp_path / 'beat'}"],
        cwd=ROOT,
        env={"REDIS_URL": settings.REDIS_URL, "PATH": os.environ["PATH"], "CALLPRIVACY_STATE": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as beat:
        assert beat.stdout is not None
        try:
            assert any("beat: Starting" in line for line in beat.stdout)
        finally:
            beat.kill()


def test_the_worker_may_remove_what_the_backup_writes() -> None:
    folders, workers = (
        re.findall("^ReadWritePaths=(.+)$", read(f"deploy/systemd/callprivacy-{name}.service"), re.MULTILINE)
        for name in ("backup", "worker")
    )
    assert len(folders) == 1
    assert folders[0] in workers


def test_the_worker_may_erase_what_was_dropped() -> None:
    assert "CALLPRIVACY_DROP=/srv/drop" in read("docs/connections.md")
    assert "ReadWritePaths=-/srv/drop\n" in read("deploy/systemd/callprivacy-worker.service")
    assert "/srv/drop:/srv/drop" in _advised()["worker"]["volumes"]


def _advised() -> dict[str, Any]:
    """The services of the override that the page on deploying shows."""
    shown = yaml.safe_load(read("docs/deploying.md").partition("```yaml\n")[2].partition("```")[0])
    return dict(shown["services"])


def test_the_web_reaches_no_backup() -> None:
    advice = _advised()
    assert set(advice) == {"release", "worker"}
    assert len(advice["release"]["volumes"]) == 3
    assert advice["worker"]["volumes"][:3] == advice["release"]["volumes"]
    assert COMPOSE["services"]["web"]["volumes"] == ["state:/state"]
    commands = re.findall(
        r"docker compose run --rm .*?(\w+) python manage.py (\w+)", read("docs/deploying.md")
    )
    assert set(commands) == {("release", "backup"), ("worker", "restore_drill")}


def test_a_renewed_certificate_is_read() -> None:
    assert "docker compose exec nginx nginx -s reload" in read("docs/deploying.md")
    assert "systemctl reload nginx" in read("docs/deploying.md")


def test_the_proxy_lets_through_what_the_pages_take_and_keeps_it_in_memory() -> None:
    conf = read("deploy/nginx.conf")
    places = re.findall(r"^    location (~|=) (\S+) \{\n(.*?)^    \}", conf, re.MULTILINE | re.DOTALL)
    takes = {
        reverse("calls:import_new", args=["a-client"]): UPLOAD_AT_MOST,
        reverse("consent:new_register"): registers.AT_MOST,
        reverse("consent:new_answers"): registers.ANSWERS_AT_MOST,
        reverse("consent:new_list", args=["a-client"]): list_checks.UPLOAD_AT_MOST,
    }
    limits = set()
    for path, at_most in takes.items():
        (place,) = (
            text for how, name, text in places if (name == path if how == "=" else re.search(name, path))
        )
        (size,) = re.findall(r"client_max_body_size (\d+)m;", place)
        assert at_most < int(size) << 20 < 1.1 * at_most, path
        # Before its body is taken in: who has no session is led to the sign-in, and nobody sends many at once.
        assert "if ($has_session = 0) { return 302 /accounts/login/?next=$request_uri; }" in place
        (files,) = re.findall(r"limit_conn files (\d);", place)
        limits.add((int(size) << 20, int(files)))
    assert len(places) == len(takes) - 1  # answers and lists share one
    rest = conf
    for *_, place in places:
        rest = rest.replace(place, "")
    (of_others,) = (int(size) << 20 for size in re.findall(r"client_max_body_size (\d+)m;", rest))
    others = {terms.DOCUMENT_AT_MOST, posted.PICTURE_AT_MOST, proofs.PERMISSION_AT_MOST, certificates.AT_MOST}
    assert max(others | {hooks.LARGEST}) < of_others < 2 * max(others)
    assert re.findall(r"(\w+)_temp_path /dev/shm/", conf) == ["client_body", "proxy"]
    assert COMPOSE["services"]["nginx"]["shm_size"] == "3g"
    # What one address has under way at most: its largest, and of the next as many as are left to it.
    largest = [size for size, files in sorted(limits, reverse=True) for _ in range(files)]
    assert sum(largest[: max(files for _, files in limits)]) < 3 << 30


@pytest.mark.parametrize(
    ("cookies", "is_one"),
    [
        ("__Host-session={}", True),
        ("__Host-csrf=abc; __Host-session={}; theme=dark", True),
        ("", False),
        ("a__Host-session={}", False),
        ("__Host-session=", False),
    ],
)
def test_the_proxy_knows_a_session_as_django_writes_one(cookies: str, is_one: bool) -> None:
    (known,) = re.findall(r'"~(.+)" 1;', read("deploy/nginx.conf"))
    assert "__Host-session" in read("callprivacy/settings.py")
    key = SessionStore()._get_new_session_key()  # type: ignore[attr-defined]
    assert bool(re.search(known, cookies.format(key))) is is_one


def test_the_image_runs_as_nobody_in_particular_and_holds_what_runs() -> None:
    image = read("Dockerfile")
    assert "USER 10001:10001" in image
    assert "HEALTHCHECK" in image
    assert f'CMD ["{COMMANDS["web"].replace(" ", chr(34) + ", " + chr(34))}"]' in image
    taken = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    packages = {file.parent.name for file in ROOT.glob("*/__init__.py")} - {"tests", "lab"}
    assert taken == packages | {"static", "templates", "gunicorn.conf.py", "manage.py", "requirements.txt"}


def test_the_databases_of_compose_grant_what_the_program_grants() -> None:
    script = re.sub(r"\s+", " ", read("deploy/databases.sh"))
    assert "for database in callprivacy:callprivacy_app callprivacy_vault:callprivacy_vault; do" in script
    wanted = services.grant_statements(database="callprivacy", owner="callprivacy_owner", app=':"role"')
    statements = [re.sub(r"\s+", " ", part).strip() for part in wanted.split(";") if part.strip()]
    inside = [part for part in statements if "ON DATABASE" not in part]
    assert len(inside) >= 6
    assert all(part in script for part in inside)


def test_postgresql_is_ready_only_once_it_listens() -> None:
    asked = COMPOSE["services"]["postgres"]["healthcheck"]["test"]
    assert asked[:3] == ["CMD", "pg_isready", "--host=127.0.0.1"]


@pytest.mark.parametrize(
    "name", ["docs/runbook.md", "docs/upgrading.md", "docs/deploying.md", "docs/backups.md"]
)
def test_whoever_makes_web_anew_makes_nginx_anew(name: str) -> None:
    commands = re.findall(r"`docker compose up ([^`]+)`|^docker compose up (.+)$", read(name), re.MULTILINE)
    for command in ("".join(found) for found in commands):
        made = {word for word in command.split() if not word.startswith("-")}
        assert "web" not in made or "nginx" in made, command


@pytest.mark.parametrize("name", ["docs/runbook.md", "docs/upgrading.md", "docs/deploying.md"])
def test_what_systemd_runs_once_has_the_state_folder(name: str) -> None:
    whole = read(name).replace("\\\n", " ")
    runs = [line for line in whole.splitlines() if re.search(r"systemd-run .*--uid=callprivacy", line)]
    assert runs
    state = "-p StateDirectory=callprivacy -p StateDirectoryMode=0700"
    assert all(state in re.sub(r"\s+", " ", line) for line in runs)


@pytest.mark.parametrize("name", ["docs/runbook.md", "docs/upgrading.md", "docs/deploying.md"])
def test_what_compose_runs_beside_a_house_that_serves_starts_no_database_anew(name: str) -> None:
    runs = re.findall(r"docker compose run [^`\n]*", read(name))
    assert runs
    assert all("--no-deps" in run for run in runs)


@pytest.mark.parametrize("way", ["With compose", "With systemd"])
def test_an_upgrade_releases_then_changes_the_worker_and_then_the_web(way: str) -> None:
    order = read("docs/upgrading.md").partition(f"### {way}\n")[2].partition("```\n")[2].partition("```")[0]
    wanted = ["release", "worker (callprivacy-)?beat", "callprivacy-web|web nginx"]
    places = [[found.start() for found in re.finditer(word, order)][-1] for word in wanted]
    assert places == sorted(places)
    assert "backup" in order.splitlines()[0]
    # What is overwritten has a name for the way back before it is.
    assert re.search(
        "docker tag callprivacy callprivacy:before.*docker compose build|mv -T", order, re.DOTALL
    )


def test_a_release_that_cannot_write_says_so_and_migrates_nothing(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CALLPRIVACY_ROLE", "app")
    monkeypatch.setattr("django.core.management.call_command", lambda *_, **__: None)
    migrated: list[str] = []
    monkeypatch.setattr("tools.migrating.one", lambda alias, **_: migrated.append(alias))
    monkeypatch.setattr("sys.argv", ["release"])
    monkeypatch.setattr("django.setup", lambda: None)
    (tmp_path / "state").write_text("no folder")
    # The other one is there, and takes no file of anybody's.
    for folder in (tmp_path / "state" / "static", Path("/proc/self")):
        settings.STATIC_ROOT = folder
        assert release.main() == 1
        said = capsys.readouterr().err
        assert said.startswith(f"CallPrivacy is not released: {folder} cannot be written (")
        assert "CALLPRIVACY_STATE" in said
        assert not migrated
    settings.STATIC_ROOT = tmp_path / "static"
    assert release.main() == 0
    assert migrated == ["default", "vault"]

    def is_away(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "pg_ctl")

    monkeypatch.setattr("tools.migrating.one", is_away)
    with pytest.raises(FileNotFoundError, match="pg_ctl"):
        release.main()


def test_a_move_to_another_address_names_every_door_that_others_know() -> None:
    section = read("docs/deploying.md").partition("## Another public address\n")[2].partition("\n## ")[0]
    names = {
        "calls:hook": ["callrail", "k"], "consent:voice": ["k"], "consent:sms": ["k"],
        "consent:public_page": ["k"], "consent:ask": ["k", "s"], "consent:preferences": ["l"], "rights:portal": ["k"],
        "rights:request": ["l"], "accounts:provider_back": ["k"], "accounts:provider_signed_out": ["k"],
        "accounts:invitation": ["t"], "governance:door": ["k"], "account_login": [], "api_docs": [],
    }  # fmt: skip
    paths = [reverse(name, args=args) for name, args in names.items()] + ["/mail/postmark/"]
    for path in paths:
        assert f"`/{path.split('/')[1]}/" in section, path


# --- the environment of compose ---


def test_a_new_environment_passes_the_check_of_a_release(tmp_path: Path) -> None:
    new_env.write(tmp_path, "https://calls.example.com")
    assert all((tmp_path / name).stat().st_mode & 0o777 == 0o600 for name in (".env", "program.env"))
    with pytest.raises(FileExistsError):
        new_env.write(tmp_path, "https://calls.example.com")
    program = dict(line.split("=", 1) for line in (tmp_path / "program.env").read_text().splitlines())
    assert not [name for name in program if "OWNER" in name]
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    environ = kept | program | {"CALLPRIVACY_STATE": str(tmp_path)}
    done = starts.manage("check", "--deploy", "--fail-level", "WARNING", environ=environ)
    assert done.returncode == 0, done.stderr
    named = set(re.findall(r"\$\{(\w+)", read("compose.yaml")))
    given = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    assert named == set(given)


# --- health checks of containers ---


def test_a_worker_is_alive_while_it_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_pending", figures._Pending())
    # The suite's names have prefixes of their own.
    assert f"callprivacy-hints:{figures._key('processes').partition(':')[2]}" == alive._KEY
    monkeypatch.setattr(alive, "_KEY", figures._key("processes"))
    figures._line().delete(alive._KEY)
    assert not alive.process("worker", settings.REDIS_URL)
    figures.say_alive("worker")
    assert alive.process("worker", settings.REDIS_URL)
    assert not alive.process("beat", settings.REDIS_URL)
    (name,) = figures._line().hkeys(alive._KEY)
    for off in (-100, 100):
        figures._line().hset(alive._KEY, name, str(time.time() + off))
        assert not alive.process("worker", settings.REDIS_URL)
    assert alive.process("worker", "redis://127.0.0.1:1/0"), "who waits for Valkey is not ended"
    assert not alive.web(alive.address("", 1))


@pytest.mark.parametrize(
    ("bound", "asked"),
    [
        ("", "127.0.0.1:8000"),
        ("0.0.0.0", "127.0.0.1:8000"),  # noqa: S104  compared, not bound
        ("::", "[::1]:8000"),
        ("[::]", "[::1]:8000"),
        ("10.0.0.7", "10.0.0.7:8000"),
        ("fd00::7", "[fd00::7]:8000"),
    ],
)
def test_the_web_is_asked_where_it_listens(bound: str, asked: str) -> None:
    assert alive.address(bound, 8000) == asked


@pytest.mark.parametrize("port", ["", None, "9000"])
def test_a_port_that_is_set_and_empty_is_none(monkeypatch: pytest.MonkeyPatch, port: str | None) -> None:
    asked: list[str] = []

    def web(address: str) -> bool:
        asked.append(address)
        return True

    monkeypatch.setattr(alive, "web", web)
    monkeypatch.delenv("PORT", raising=False)
    if port is not None:
        monkeypatch.setenv("PORT", port)
    monkeypatch.delenv("BIND", raising=False)
    monkeypatch.setattr("sys.argv", ["alive", "web"])
    assert alive.main() == 0
    assert asked == [f"127.0.0.1:{port or 8000}"]


def test_a_worker_and_beat_are_asked_for_by_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alive, "process", lambda *_: True)
    monkeypatch.setenv("PORT", "none of its own")
    for kind in ("worker", "beat"):
        monkeypatch.setattr("sys.argv", ["alive", kind])
        assert alive.main() == 0


@pytest.mark.django_db
def test_the_web_says_which_parts_it_lacks(
    live_server: LiveServer, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    address = alive.address("", int(live_server.url.rpartition(":")[2]))
    settings.CALLPRIVACY_METRICS_TOKEN = "t" * 32
    readiness.forget()
    assert alive.ready(address, "t" * 32)
    assert set(json.loads(capsys.readouterr().out)) >= {"broker", "databases", "keys"}
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    readiness.forget()
    assert not alive.ready(address, "t" * 32)
    assert json.loads(capsys.readouterr().out)["broker"] != "ok"
    readiness.forget()
    assert not alive.ready(alive.address("", 1), "")
    assert "does not answer" in capsys.readouterr().out


# --- alerts and the runbook ---


def _metrics() -> set[str]:
    """Every name that /metrics can say."""
    house = House({"default": 1}, True, 1, True, True, {"default": 1})
    reading = Reading(at=NOON.isoformat(), run_age=1, due={"x": 1}, secrets={"over": 0}, seal_age=1)
    histogram = {("room", "2xx"): figures.Histogram((1,) * (len(figures.BOUNDS) + 1), 1.0)}
    processes = [figures.Process("beat", "h", 1, 1.0), figures.Process("worker", "h", 1, 1.0)]
    running = figures.Read(histogram, histogram, {}, processes, 1.0)
    said = watch.metrics([reading], house, storage.Order([], 0), running, NOON).decode()
    return {re.split(r"[{ ]", line)[0] for line in said.splitlines() if not line.startswith("#")} | {
        line.split()[2] for line in said.splitlines() if line.startswith("# TYPE")
    }


def test_every_alert_asks_for_what_there_is() -> None:
    known = _metrics()
    for alert in ALERTS:
        asked = set(re.findall(r"callprivacy_\w+", alert["expr"]))
        assert asked <= known, alert["alert"]
        assert asked or re.match(r"up\{|node_filesystem_", alert["expr"])


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    book = read("docs/runbook.md")
    sections = re.findall(r"^### (\w+)$", book.partition("## Without an alert")[0], re.MULTILINE)
    assert sorted(sections) == sorted(alert["alert"] for alert in ALERTS)
    for alert in ALERTS:
        assert alert["annotations"]["runbook"] == f"docs/runbook.md#{alert['alert'].lower()}"
        assert _parts(book, alert["alert"]) == ["Means", "Look", "Do"], alert["alert"]
    anchors = {word.lower() for word in re.findall(r"^#+ (\w+)$", book, re.MULTILINE)}
    assert set(re.findall(r"\(#(\w+)\)", book)) <= anchors


def _parts(book: str, name: str) -> list[str]:
    """Of an alert's section, in their order, those that say something."""
    text = re.split(r"\n##+ ", book.partition(f"\n### {name}\n")[2])[0]
    said = re.split(r"\*\*(\w+)\*\*", text)[1:]
    return [part for part, words in zip(said[::2], said[1::2], strict=True) if len(words.split()) > 1]


def test_a_section_that_leaves_something_out_is_found() -> None:
    book = "\n### Late\n\n**Means** that it is late. **Look**: **Do**: start it.\n\n### Gone\n\n**Look** at it here.\n"
    assert _parts(book, "Late") == ["Means", "Do"]
    assert _parts(book, "Gone") == ["Look"]


def test_every_alert_is_tried_past_its_limit_and_at_it() -> None:
    tried = [one for group in ALERT_TESTS for one in group["alert_rule_test"]]
    names = sorted(alert["alert"] for alert in ALERTS)
    assert sorted({one["alertname"] for one in tried if one["exp_alerts"]}) == names
    assert sorted({one["alertname"] for one in tried if not one["exp_alerts"]}) == names


def test_the_rules_are_tried_where_promtool_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, said = check.BESIDE["alerts"]()
    assert (code, "promtool is not here" in said) == (0, True)
    program = tmp_path / "promtool"
    for exit_code in (0, 1):
        program.write_text(f'#!/bin/sh\necho "$@"\nexit {exit_code}\n', encoding="utf-8")
        program.chmod(0o700)
        assert check.BESIDE["alerts"]() == (exit_code, "test rules deploy/alerts_test.yaml\n")


def test_limits_of_alerts_are_those_of_the_watch() -> None:
    limits = {
        "RunMissing": watch.RUN_LATE_AFTER, "InboxOld": watch.INBOX_LATE_AFTER,
        "JobsLate": watch.DUE_LATE_AFTER, "BackupLate": watch.BACKUP_LATE_AFTER,
        "DrillLate": watch.DRILL_LATE_AFTER, "BackupUnproven": watch.VERIFIED_LATE_AFTER,
    }  # fmt: skip
    by_name = {alert["alert"]: alert["expr"] for alert in ALERTS}
    for name, limit in limits.items():
        assert by_name[name].endswith(f"> {limit.total_seconds():.0f}"), name
    assert trail.UNSEALED_ALARM.total_seconds() == 300
