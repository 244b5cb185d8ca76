#!/usr/bin/env python3
"""Ways of copying a live SQLite database while one writer commits small durable transactions: how long
each takes, what the writer feels, how far the write-ahead log grows.

    benches/backup/methods.py database.db [rounds]

The database is changed: take a copy of one that run.py fills. SQLite is that of Python; the calls are the
program's.
"""
import os
import random
import sqlite3
import sys
import threading
import time

SOURCE = sys.argv[1]
COPY = SOURCE + ".copy"
PAGES = 2048
PAGE = 4096
LIMIT = 30


def log_mib():
    try:
        return os.path.getsize(SOURCE + "-wal") / 2**20
    except OSError:
        return 0


class Writer(threading.Thread):
    def __init__(self):
        super().__init__()
        self.stop = threading.Event()
        self.times = []
        self.peak = 0

    def run(self):
        live = sqlite3.connect(SOURCE, isolation_level=None, timeout=10)
        live.execute("PRAGMA synchronous = FULL")
        live.execute("PRAGMA wal_autocheckpoint = 4096")
        while not self.stop.is_set():
            since = time.perf_counter()
            live.execute("BEGIN IMMEDIATE")
            for _ in range(4):
                row = random.randrange(1, 230_000)
                live.execute("UPDATE filler SET words = words || 'x' WHERE n = ?", (row,))
            live.execute("COMMIT")
            self.times.append((time.perf_counter() - since) * 1000)
            self.peak = max(self.peak, log_mib())
            time.sleep(0.003)


def target():
    copy = sqlite3.connect(COPY)
    copy.execute("PRAGMA synchronous = OFF")
    copy.execute("PRAGMA journal_mode = OFF")
    return copy


def nothing():
    time.sleep(10)


def vacuum_into():
    sqlite3.connect(SOURCE).execute(f"VACUUM INTO '{COPY}'")


def one_step():
    sqlite3.connect(SOURCE).backup(target(), pages=-1)


def steps(is_one_moment, mib_per_second):
    """With a read transaction around all steps, or without, as most programs do it."""
    source = sqlite3.connect(SOURCE, isolation_level=None)
    if is_one_moment:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    copy = target()
    file = os.open(COPY, os.O_RDONLY)
    since = time.perf_counter()
    seen = {"left": float("inf"), "restarts": 0}

    def between(_, left, total):
        seen["restarts"] += left > seen["left"]
        seen["left"] = left
        os.fdatasync(file)
        elapsed = time.perf_counter() - since
        if elapsed > LIMIT:
            raise TimeoutError
        ahead = (total - left) * PAGE / 2**20 / mib_per_second - elapsed
        time.sleep(max(0, ahead))

    try:
        source.backup(copy, pages=PAGES, progress=between, sleep=0)
        return f"started over {seen['restarts']} times"
    except TimeoutError:
        return f"not done after {LIMIT} s, started over {seen['restarts']} times"
    finally:
        os.close(file)


def measure(name, copy):
    writer = Writer()
    writer.start()
    since = time.perf_counter()
    note = copy() or ""
    took = time.perf_counter() - since
    writer.stop.set()
    writer.join()
    times = sorted(writer.times)
    print(
        f"{name:36} {took:5.1f} s  {len(times) / took:4.0f} commits/s"
        f"  p50 {times[len(times) // 2]:5.1f}  p99 {times[int(len(times) * 0.99)]:6.1f}"
        f"  max {times[-1]:6.1f} ms  log {writer.peak:5.1f} MiB  {note}",
        flush=True,
    )
    os.path.exists(COPY) and os.remove(COPY)
    live = sqlite3.connect(SOURCE, timeout=30)
    live.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    live.close()


for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 1):
    measure("nothing", nothing)
    measure("VACUUM INTO", vacuum_into)
    measure("backup API, one step", one_step)
    measure("backup API, steps", lambda: steps(False, 50))
    measure("backup API, steps, one transaction", lambda: steps(True, 50))
