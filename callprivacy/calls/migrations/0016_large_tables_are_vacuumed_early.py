"""Large tables lose a share of their rows each night; they are vacuumed long before a fifth of them is dead."""

from django.db import migrations

_TABLES = (
    "calls_call",
    "calls_callref",
    "calls_caller",
    "calls_recording",
    "calls_transcript",
    "calls_callpress",
)
_SETTINGS = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.02",
}


class Migration(migrations.Migration):
    dependencies = [("calls", "0015_what_expires_is_found")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} SET ({', '.join(f'{name} = {value}' for name, value in _SETTINGS.items())});",
            f"ALTER TABLE {table} RESET ({', '.join(_SETTINGS)});",
        )
        for table in _TABLES
    ]
