"""
The one settings module: everything that differs between machines is read from the environment.

A missing or wrong variable refuses to start and says what to write (callprivacy.lib.env.SettingError).
"""

import hmac
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
from django.utils.csp import CSP

from callprivacy.lib import env, logs

# Lets forms and admins say at run time which model they are for, as their types do.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

# --- What the environment says ----------------------------------------------------------

CALLPRIVACY_STATE = Path(env.optional("CALLPRIVACY_STATE", str(BASE_DIR / ".state"))).resolve()
CALLPRIVACY_ROLE = env.optional("CALLPRIVACY_ROLE", "app")
if CALLPRIVACY_ROLE not in {"app", "owner"}:
    raise env.SettingError(
        "CALLPRIVACY_ROLE", "is neither app nor owner", "Leave it out, or write owner to migrate."
    )

_address = env.public_address(
    "CALLPRIVACY_URL", remedy="Write the address people open, such as https://calls.example.com."
)
CALLPRIVACY_URL = _address.geturl()
_https = _address.scheme == "https"
if _https and ":" in (_address.hostname or ""):
    raise env.SettingError(
        "CALLPRIVACY_URL",
        "names a machine by its IPv6 address",
        "Write a name, such as https://calls.example.com: passkeys and the sender of mail need one.",
    )

SECRET_KEY = env.secret(
    "CALLPRIVACY_SECRET_KEY",
    at_least=50,
    remedy='Make one: python3 -c "import secrets; print(secrets.token_urlsafe(64))".',
)
# What these signed is still believed, and nothing is signed with them: for a change that was planned.
SECRET_KEY_FALLBACKS = env.secrets("CALLPRIVACY_EARLIER_SECRET_KEYS", at_least=50)
# Scopes are signed with the first; PostgreSQL believes each of them from the release step on (docs/adr/0137).
CALLPRIVACY_SCOPE_KEYS = [
    hmac.digest(secret.encode(), b"callprivacy.scope", "sha256")
    for secret in (SECRET_KEY, *SECRET_KEY_FALLBACKS)
]
FIELD_ENCRYPTION_KEY = env.fernet_keys(
    "FIELD_ENCRYPTION_KEY",
    remedy=(
        "Write one or more keys, newest first, with commas between. Make one: "
        'python3 -c "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())".'
    ),
)
CALLPRIVACY_SIGNING_KEY = env.secret_bytes(
    "CALLPRIVACY_SIGNING_KEY",
    length=32,
    remedy=(
        "It signs the trail (an Ed25519 seed). Make one: "
        'python3 -c "import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())".'
    ),
)
# Public keys (64 hex digits each, with spaces between) that signed the trail before the key was changed.
CALLPRIVACY_EARLIER_PUBLIC_KEYS = env.public_keys("CALLPRIVACY_EARLIER_PUBLIC_KEYS")
# For so long a scope can be entered after it was signed: as far may the clocks of program and database be apart.
CALLPRIVACY_SCOPE_HOURS = env.whole_number("CALLPRIVACY_SCOPE_HOURS", default=24, at_least=1)
# How many proxies of ours stand in front; their forwarded addresses are believed, nobody else's.
CALLPRIVACY_PROXY_COUNT = env.whole_number("CALLPRIVACY_PROXY_COUNT", default=0)
REDIS_URL = env.redis_address(
    "REDIS_URL", remedy="Write redis://:password@host:6379/0, or unix:///path/to/socket."
)
# Hosts of a private network that databases and Valkey may be spoken to in the clear on; every other one wants TLS.
CALLPRIVACY_PLAIN_HOSTS = env.hosts("CALLPRIVACY_PLAIN_HOSTS")

# Hosts of a private network, by exact name, that agencies may have us speak to over https, such as a sign-in provider.
CALLPRIVACY_PRIVATE_HOSTS = env.hosts("CALLPRIVACY_PRIVATE_HOSTS")

# --- Django -----------------------------------------------------------------------------

DEBUG = False
ROOT_URLCONF = "callprivacy.urls"
WSGI_APPLICATION = "callprivacy.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en-us"
USE_I18N = True
SITE_NAME = "CallPrivacy"

INSTALLED_APPS = [
    "dashboard.apps.DashboardConfig",
    "governance.apps.GovernanceConfig",
    "rights.apps.RightsConfig",
    "retention.apps.RetentionConfig",
    "analytics.apps.AnalyticsConfig",
    "consent.apps.ConsentConfig",
    "callprivacy.calls.apps.CallsConfig",
    "callprivacy.work.apps.WorkConfig",
    "callprivacy.accounts.apps.AccountsConfig",
    "callprivacy.audit.apps.AuditConfig",
    "callprivacy.tenancy.apps.TenancyConfig",
    "callprivacy.vault.apps.VaultConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "axes",
    "django_filters",
    "django_htmx",
    "django_linear_migrations",
    "django_structlog",
    "encrypted_model_fields",
    "guardian",
]

MIDDLEWARE = [
    # First: a probe asks by an address and in the clear, and is answered whatever else is shut.
    "dashboard.middleware.ProbeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dashboard.middleware.MethodMiddleware",
    # Before anything that reads the database: while one database is older than the other, nothing is served.
    "retention.middleware.TogetherMiddleware",
    "retention.middleware.MovedMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "callprivacy.accounts.middleware.RequestLogMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "callprivacy.accounts.middleware.ScopeMiddleware",
    # Within the scope, which says whether a member asks.
    "dashboard.middleware.FormAddressMiddleware",
    "dashboard.middleware.ChosenClientMiddleware",
    # Last: it turns a locked-out sign-in into its answer.
    "axes.middleware.AxesMiddleware",
    # Nearest to the page: it turns a statement that took too long into a plain answer.
    "dashboard.middleware.TooSlowMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "libraries": {"charts": "callprivacy.lib.charts.tags", "choices": "callprivacy.lib.choices"},
            "builtins": ["callprivacy.lib.rows"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.context.shell",
            ],
        },
    }
]

# --- Databases --------------------------------------------------------------------------


def _database(name: str, owner_name: str) -> dict[str, Any]:
    variable = owner_name if CALLPRIVACY_ROLE == "owner" else name
    found = env.database(variable, remedy="Write postgresql://user:password@host:5432/database.")
    # The web's processes name the seconds (`callprivacy/wsgi.py`); a job may take its time, and has its own limits.
    seconds = env.whole_number("CALLPRIVACY_STATEMENT_SECONDS", default=0)
    limits = f"-c lock_timeout=2s -c idle_in_transaction_session_timeout=30s -c statement_timeout={seconds}s"
    given = found["OPTIONS"].get("options", "")
    found["OPTIONS"] |= {"options": f"{limits} {given}".strip()}
    found["OPTIONS"].setdefault("connect_timeout", 5)
    # Kept open, never pooled: settings of a scope are local to a transaction either way.
    return found | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


# A pooler that hands a connection on between transactions must itself know the plans that a connection keeps.
CALLPRIVACY_KEEPS_PLANS = env.choice("CALLPRIVACY_KEEPS_PLANS", among=("yes", "no"), default="yes") == "yes"

DATABASES = {
    "default": _database("DATABASE_URL", "DATABASE_OWNER_URL"),
    "vault": _database("VAULT_DATABASE_URL", "VAULT_DATABASE_OWNER_URL"),
}
DATABASE_ROUTERS = ["callprivacy.vault.router.VaultRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    # The sign-in library's, which goes on without.
    "default": {
        "BACKEND": "callprivacy.lib.caches.MayBeAwayCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "callprivacy",
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    },
    # Hints between web and worker: what does not answer at once is left to the sweep.
    "hints": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "callprivacy-hints",
        "OPTIONS": {"socket_timeout": 0.25, "socket_connect_timeout": 0.25},
    },
}

# --- Sign-in ----------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
    "callprivacy.accounts.backends.ObjectBackend",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "callprivacy.accounts.passwords.RuleValidator",
        "OPTIONS": {"min_length": env.whole_number("CALLPRIVACY_PASSWORD_LENGTH", default=12, at_least=8)},
    },
]

ACCOUNT_ADAPTER = "callprivacy.accounts.adapter.AccountAdapter"
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "callprivacy.accounts.services.operators.LinkTokens"  # noqa: S105  (a class)
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
# Addresses are proven by the invitation that was mailed to them.
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_CHANGE_EMAIL = False
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _address.scheme
# Failed sign-ins are django-axes' to count, in the database, whether or not the cache answers.
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": None}
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
USERSESSIONS_TRACK_ACTIVITY = False

ACCOUNT_FORMS = {
    "change_password": "callprivacy.accounts.forms.ChangePasswordForm",
    "login": "callprivacy.accounts.forms.SignInForm",
    "reauthenticate": "callprivacy.accounts.forms.PasswordAgainForm",
    "reset_password": "callprivacy.accounts.adapter.AskForLinkForm",
    "reset_password_from_key": "callprivacy.accounts.forms.ResetPasswordForm",
}

MFA_ADAPTER = "callprivacy.accounts.adapter.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# A signature is not guessed, and a whole office comes from one address.
MFA_RATE_LIMITS = {"webauthn_login": None}
MFA_TOTP_TOLERANCE = 1
MFA_FORMS = {
    "activate_totp": "callprivacy.accounts.adapter.ActivateCodesForm",
    "add_webauthn": "callprivacy.accounts.adapter.AddKeyForm",
    "authenticate": "callprivacy.accounts.adapter.SecondFactorForm",
    "authenticate_webauthn": "callprivacy.accounts.adapter.KeyBesideForm",
    "edit_webauthn": "callprivacy.accounts.adapter.RenameKeyForm",
    "login_webauthn": "callprivacy.accounts.adapter.KeyAloneForm",
    "reauthenticate": "callprivacy.accounts.adapter.SecondFactorAgainForm",
    "reauthenticate_webauthn": "callprivacy.accounts.adapter.KeyAgainForm",
}
# A browser takes a key of ours over http only from this machine.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _https

AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_USERNAME_CALLABLE = "callprivacy.accounts.adapter.axes_username"
AXES_LOCKOUT_CALLABLE = "callprivacy.accounts.adapter.answer_lockout"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# Where a try comes from is decided in one place, for the sign-in library too; it reads CALLPRIVACY_PROXY_COUNT.
AXES_CLIENT_IP_CALLABLE = "callprivacy.accounts.adapter.client_address"

# Grants are written and read by accounts.access alone; there is no anonymous person to grant anything.
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False
GUARDIAN_MONKEY_PATCH_GROUP = False

# --- Browser ----------------------------------------------------------------------------

ALLOWED_HOSTS = sorted({_address.hostname or ""} | (set() if _https else {"127.0.0.1", "localhost", "[::1]"}))
CSRF_TRUSTED_ORIGINS = [CALLPRIVACY_URL]

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_NAME = "__Host-session" if _https else "session"
# The longest a session lasts; without use it ends earlier.
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
CALLPRIVACY_SESSION_IDLE_MINUTES = env.whole_number(
    "CALLPRIVACY_SESSION_IDLE_MINUTES", default=60, at_least=1
)
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-csrf" if _https else "csrf"
CSRF_COOKIE_SECURE = _https
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"

SECURE_SSL_REDIRECT = _https
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CALLPRIVACY_PROXY_COUNT else None
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "object-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "manifest-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- Files, mail, logs ------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = CALLPRIVACY_STATE / "static"
STATICFILES_DIRS = [(name, BASE_DIR / "static" / name) for name in ("dist", "consent", "rights")]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
MEDIA_ROOT = CALLPRIVACY_STATE / "media"
MEDIA_URL = "media/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # What is stored here of recordings, sealed: in the media folder, or in a bucket.
    "recordings": env.recordings_storage("CALLPRIVACY_RECORDINGS"),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# What opens the buckets of stored and dropped files, where it is no role of the machine: their programs read it
# themselves; here it is known so that its age is told.
CALLPRIVACY_STORE_SECRET = env.optional("AWS_SECRET_ACCESS_KEY", "")

# Where others drop files of calls, one folder a connection: /srv/drop, or s3://bucket/folder. Empty: nowhere.
CALLPRIVACY_DROP = env.optional("CALLPRIVACY_DROP", "")
if (_drop := env.drop_storage("CALLPRIVACY_DROP")) is not None:
    STORAGES["drop"] = _drop

# Recordings are fetched from their trackers' own hosts over https; for demos and tests also from these (host:port), in
# the clear where the host is this machine.
CALLPRIVACY_RECORDING_HOSTS = env.hosts_and_ports("CALLPRIVACY_RECORDING_HOSTS")

# What collects metrics brings this to /metrics ("Authorization: Bearer ..."); empty: there is nothing there.
CALLPRIVACY_METRICS_TOKEN = env.optional("CALLPRIVACY_METRICS_TOKEN", "")
if CALLPRIVACY_METRICS_TOKEN and len(CALLPRIVACY_METRICS_TOKEN) < 24:
    raise env.SettingError(
        "CALLPRIVACY_METRICS_TOKEN",
        "is too short",
        'Write at least 24 characters: python3 -c "import secrets; print(secrets.token_urlsafe(32))".',
    )

# Where dumps of the two databases go, apart, and a third place for the keys of the vault's; empty where backups are
# made otherwise. Recipients are age's public keys (age1...), with spaces between: whoever has a private half opens
# the dumps, the vault's with its own key beside it.
CALLPRIVACY_BACKUP_DIR, CALLPRIVACY_VAULT_BACKUP_DIR, CALLPRIVACY_VAULT_BACKUP_KEYS = env.folders_apart(
    "CALLPRIVACY_BACKUP_DIR", "CALLPRIVACY_VAULT_BACKUP_DIR", "CALLPRIVACY_VAULT_BACKUP_KEYS"
)
CALLPRIVACY_BACKUP_RECIPIENTS = env.optional("CALLPRIVACY_BACKUP_RECIPIENTS", "").split()
# The folder of pg_dump and pg_restore; empty: those of the server that comes along, else those of the PATH.
CALLPRIVACY_PG_PROGRAMS = env.optional("CALLPRIVACY_PG_PROGRAMS", "")
# "weekly" tries the newest backups out beside the live system, with this private half (a file).
CALLPRIVACY_DRILL = env.optional("CALLPRIVACY_DRILL", "never")
CALLPRIVACY_DRILL_IDENTITY = env.optional("CALLPRIVACY_DRILL_IDENTITY", "")
if CALLPRIVACY_DRILL not in {"never", "weekly"}:
    raise env.SettingError(
        "CALLPRIVACY_DRILL", "is neither weekly nor never", "Leave it out, or write weekly."
    )
if CALLPRIVACY_DRILL == "weekly" and not CALLPRIVACY_DRILL_IDENTITY:
    raise env.SettingError(
        "CALLPRIVACY_DRILL_IDENTITY",
        "is not set",
        "CALLPRIVACY_DRILL is weekly: write the file of a private key that is among the recipients.",
    )

# Twilio's interface, for texts and for stopping a recording; another address only where its part is played.
CALLPRIVACY_TWILIO_URL = env.public_address(
    "CALLPRIVACY_TWILIO_URL",
    default="https://api.twilio.com",
    remedy="Leave it out, or write the address that stands in for https://api.twilio.com.",
).geturl()
# What brings codes to phones in the agency's own name, and for clients without a number at Twilio.
CALLPRIVACY_CODES = env.twilio_sender("CALLPRIVACY_CODES")

CALLPRIVACY_MAIL_FOLDER = CALLPRIVACY_STATE / "mail"
CALLPRIVACY_MAIL_IS_FILES = not env.optional("MAIL_URL")
MAILERS = {"default": env.mailer("MAIL_URL", files=CALLPRIVACY_MAIL_FOLDER)}
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.sender(
    "CALLPRIVACY_MAIL_FROM", default=f"CallPrivacy <noreply@{_address.hostname}>"
)
# Where answers to letters of a client go; a plus sign and whose answer it is are put behind its name. Without it
# letters do not say that they can be answered.
CALLPRIVACY_MAIL_REPLY = env.optional("CALLPRIVACY_MAIL_REPLY", "")
# 64 characters may stand before the @ (RFC 5321); 50 of them say whose the answer is.
if CALLPRIVACY_MAIL_REPLY and not re.fullmatch(
    r"[^@\s+<>\"]{1,14}@[^@\s<>\"]+\.[^@\s<>\"]+", CALLPRIVACY_MAIL_REPLY
):
    raise env.SettingError(
        "CALLPRIVACY_MAIL_REPLY",
        "is no address that answers can go to",
        "Write reply@mail.example.com: at most 14 characters before the @, and no plus sign.",
    )
# The receiving servers whose findings about a sender count, by the names that they give themselves: in files that
# people bring, and in what the provider brings, which may have passed no server that strikes out forged findings.
CALLPRIVACY_MAIL_AUTHSERV, CALLPRIVACY_MAIL_HOOK_AUTHSERV = (
    frozenset(name.strip().lower() for name in env.optional(variable, "").split(",") if name.strip())
    for variable in ("CALLPRIVACY_MAIL_AUTHSERV", "CALLPRIVACY_MAIL_HOOK_AUTHSERV")
)
_mail_hook = env.optional("CALLPRIVACY_MAIL_HOOK_SECRET", "")
CALLPRIVACY_TAKES_MAIL = bool(_mail_hook)
if _mail_hook:
    if ":" not in _mail_hook or len(_mail_hook) < 24:
        raise env.SettingError(
            "CALLPRIVACY_MAIL_HOOK_SECRET",
            "is too short, or has no colon",
            "Write a name, a colon and at least 20 random characters; the provider sends both.",
        )
    if not CALLPRIVACY_MAIL_REPLY:
        raise env.SettingError(
            "CALLPRIVACY_MAIL_REPLY",
            "is missing",
            "CALLPRIVACY_MAIL_HOOK_SECRET is set: write the address whose mail the provider brings.",
        )
    INSTALLED_APPS += ["anymail"]
    ANYMAIL = {"WEBHOOK_SECRET": _mail_hook}

_level = logs.level_named(env.optional("CALLPRIVACY_LOG_LEVEL", "INFO"))
if _level is None:
    raise env.SettingError("CALLPRIVACY_LOG_LEVEL", "is no level", "Write DEBUG, INFO, WARNING or ERROR.")
logs.configure()
_format = env.choice("CALLPRIVACY_LOG_FORMAT", among=("json", "text"), default="json")
LOGGING = logs.settings(level=_level, as_json=_format == "json")

# --- Jobs -------------------------------------------------------------------------------

CELERY_BROKER_URL = env.broker_address(REDIS_URL)
CELERY_TIMEZONE = "UTC"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SOFT_TIME_LIMIT = 55
CELERY_TASK_TIME_LIMIT = 60
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": 2,
}
CELERY_BEAT_SCHEDULER = "callprivacy.celery:Scheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(CALLPRIVACY_STATE / "beat")

SILENCED_SYSTEM_CHECKS = [
    # Guardian's own backend is not used: accounts.backends answers from accounts.access, with the end of each grant.
    "guardian.W001",
]
