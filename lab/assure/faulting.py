"""
`make faults`: kills, lines that are slow, silent, cut or refused, and a full disk, while nights erase and trackers
call. Behind each stands the same checker over a history that is kept outside the databases (lab/faults).
"""

from lab.assure import kills, outages, suite
from lab.assure.rows import Row

ROWS: tuple[Row, ...] = (
    Row("1, 2, 4, 8", "Erasing under kills loses nothing and keeps nothing; what is acknowledged is stored",
        "worker, Valkey, PostgreSQL, web and beat ended by SIGKILL, 42 times each, while nights run and trackers call;"
        " in every other night the clock goes back by an hour",
        "0 due rows, keys or recordings left; 0 kept ones lost; 0 acknowledged events lost; the trail verifies",
        trial=lambda seconds: kills.nights(seconds, count=210), minutes=24),
    Row("29a, 1, 8", "Lines that are slow, silent, cut or refused cost time, and nothing else",
        "a proxy before PostgreSQL and Valkey, disturbed while nights run and trackers call", "as with kills",
        trial=outages.drops, minutes=14),
    Row("29b, 1, 8, 10", "A full disk refuses and breaks nothing",
        "the disk of databases, queue, trail and files filled while nights run and trackers call; a backup onto it",
        "as with kills; no backup that looks whole", trial=outages.full, minutes=12),
    next(row for row in suite.ROWS if row.number == "5"),
)  # fmt: skip
