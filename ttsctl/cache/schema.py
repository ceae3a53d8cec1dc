"""Everything that the database may hold, word for word.

SQL kept in a database file runs when somebody else opens it: a planted trigger acts on the next
write. So each object must be one of these. The first group is what diskcache 5.6 makes, the second
is this room's own; a test makes a fresh database and compares.
"""

from __future__ import annotations

OBJECTS = frozenset(
    {
        "CREATE TABLE Settings ( key TEXT NOT NULL UNIQUE, value)",
        "CREATE TABLE Cache ( rowid INTEGER PRIMARY KEY, key BLOB, raw INTEGER, store_time REAL,"
        " expire_time REAL, access_time REAL, access_count INTEGER DEFAULT 0, tag BLOB,"
        " size INTEGER DEFAULT 0, mode INTEGER DEFAULT 0, filename TEXT, value BLOB)",
        "CREATE UNIQUE INDEX Cache_key_raw ON Cache(key, raw)",
        "CREATE INDEX Cache_expire_time ON Cache (expire_time)",
        "CREATE TRIGGER Settings_count_insert AFTER INSERT ON Cache FOR EACH ROW BEGIN"
        ' UPDATE Settings SET value = value + 1 WHERE key = "count"; END',
        "CREATE TRIGGER Settings_count_delete AFTER DELETE ON Cache FOR EACH ROW BEGIN"
        ' UPDATE Settings SET value = value - 1 WHERE key = "count"; END',
        "CREATE TRIGGER Settings_size_insert AFTER INSERT ON Cache FOR EACH ROW BEGIN"
        ' UPDATE Settings SET value = value + NEW.size WHERE key = "size"; END',
        "CREATE TRIGGER Settings_size_update AFTER UPDATE ON Cache FOR EACH ROW BEGIN"
        ' UPDATE Settings SET value = value + NEW.size - OLD.size WHERE key = "size"; END',
        "CREATE TRIGGER Settings_size_delete AFTER DELETE ON Cache FOR EACH ROW BEGIN"
        ' UPDATE Settings SET value = value - OLD.size WHERE key = "size"; END',
        "CREATE TABLE Counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE Pins (key TEXT PRIMARY KEY) WITHOUT ROWID",
    }
)

OWN_TABLES = (
    "CREATE TABLE IF NOT EXISTS Counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL)"
    " WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS Pins (key TEXT PRIMARY KEY) WITHOUT ROWID",
)

# diskcache obeys the settings that it finds in the file, so all of them are given at each opening.
SETTINGS: dict[str, int | str] = {
    "statistics": 0,
    "tag_index": 0,
    "eviction_policy": "none",  # under any other a read takes the write lock
    "size_limit": 1 << 62,  # eviction is ours: diskcache culls ten at a time, wherever it stands
    "cull_limit": 0,
    "sqlite_auto_vacuum": 0,
    "sqlite_cache_size": 8192,  # pages
    "sqlite_journal_mode": "wal",
    "sqlite_mmap_size": 0,  # a mapped file that is cut short kills its readers with SIGBUS
    "sqlite_synchronous": 1,
    "disk_min_file_size": 0,  # one entry, one file: damage costs no more than the one
    "disk_pickle_protocol": 5,
}

TALLIES = ("count", "size", "hits", "misses")  # settings that diskcache's triggers keep
