#!/usr/bin/env python3
"""What a backup costs requests: a large database under a steady load of writes and reads, without and
with a backup, in turn; then a restore for a try, and one in earnest.

    benches/backup/run.py [--binary target/release/dream-bff] [--mib 1000] [--rounds 3]

Needs Python 3 alone. Keeps nothing: the database is made anew in a temporary folder, on a real disk.
"""
import argparse
import http.client
import json
import os
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.request

parser = argparse.ArgumentParser()
parser.add_argument("--binary", default="target/release/dream-bff")
parser.add_argument("--mib", type=int, default=1000)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--rate", type=int, default=100, help="writes a second, and as many reads")
parser.add_argument("--seconds", type=int, default=20, help="of load without a backup, each round")
parser.add_argument("--port", type=int, default=18195)
parser.add_argument("--database", help="a copy of this sandbox database instead of a new one")
options = parser.parse_args()
binary = os.path.abspath(options.binary)

folder = tempfile.TemporaryDirectory(prefix="dream-bff-backup-", dir=os.environ.get("TMPDIR"))
data = os.path.join(folder.name, "data")
database = os.path.join(data, "sandbox.db")
env = dict(
    os.environ,
    DATA_DIR=data,
    LISTEN=f"127.0.0.1:{options.port}",
    DATABASE_URL=f"sqlite://{database}",
    RUST_LOG="warn",
    RATE_LIMIT_PER_IP="0",
    RATE_LIMIT_PER_USER="0",
    RATE_LIMIT_LOGIN_PER_IP="0",
)


def fill():
    if options.database:
        os.makedirs(data, mode=0o700)
        subprocess.run(["cp", options.database, database], check=True)
        return
    seed = [binary, "seed", "--users", "20000", "--images", "150000", "--templates", "36"]
    subprocess.run(seed, env=env, check=True, stdout=subprocess.DEVNULL)
    live = sqlite3.connect(database, isolation_level=None)
    live.execute("PRAGMA synchronous = OFF")
    live.execute("CREATE TABLE filler (n INTEGER PRIMARY KEY, noise BLOB, words TEXT)")
    words = "月光下的山水，水墨画 " * 60
    while os.path.getsize(database) < options.mib * 1024 * 1024:
        live.execute("BEGIN")
        rows = [(os.urandom(1700), words) for _ in range(2560)]
        live.executemany("INSERT INTO filler (noise, words) VALUES (?, ?)", rows)
        live.execute("COMMIT")
        live.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    live.close()


def ask(connection, method, path, body=None, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


class Load:
    """Requests at a fixed rate, measured from when each was to be sent: a stall is not hidden."""

    def __init__(self):
        self.stop = threading.Event()
        self.times = {"write": [], "read": []}
        self.failed = 0
        workers = 8
        self.threads = [threading.Thread(target=self.work, args=(n, workers)) for n in range(workers)]

    def work(self, number, workers):
        connection = http.client.HTTPConnection("127.0.0.1", options.port, timeout=30)
        code = {"code": f"dev-load-{number}"}
        _, body = ask(connection, "POST", "/v1/auth/wechat-login", code)
        token = json.loads(body)["token"]
        every = workers / (2 * options.rate)
        due = time.perf_counter() + every * number / workers
        turn = 0
        while not self.stop.is_set():
            pause = due - time.perf_counter()
            if pause > 0:
                time.sleep(pause)
            turn += 1
            is_write = turn % 2 == 0
            if is_write:
                name = {"nickName": f"n{turn}"}
                status, _ = ask(connection, "PATCH", "/v1/users/me", name, token)
            else:
                status, _ = ask(connection, "GET", "/v1/gallery/images?pageSize=20", None, token)
            took = (time.perf_counter() - due) * 1000
            self.times["write" if is_write else "read"].append(took)
            self.failed += status != 200
            due += every

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def show(what, load):
    for kind, times in load.times.items():
        times.sort()
        at = lambda part: times[min(len(times) - 1, int(len(times) * part))]
        print(
            f"{what:8} {kind:5} {len(times):6} requests, failed {load.failed}:"
            f" p50 {at(0.5):6.1f}  p99 {at(0.99):7.1f}  max {times[-1]:7.1f} ms",
            flush=True,
        )


def log_mib():
    try:
        return os.path.getsize(database + "-wal") / 2**20
    except OSError:
        return 0


fill()
# What filling left to be written would be taken for the cost of requests.
os.sync()
print(f"database {os.path.getsize(database) / 2**20:.0f} MiB", flush=True)
server = subprocess.Popen([binary, "serve", "--sandbox"], env=env, stdout=subprocess.DEVNULL)
try:
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{options.port}/readyz")
            break
        except OSError:
            time.sleep(0.2)
    with Load():
        time.sleep(5)
    for _ in range(options.rounds):
        with Load() as load:
            time.sleep(options.seconds)
        show("without", load)
        peak = 0
        with Load() as load:
            started = time.perf_counter()
            making = subprocess.Popen(
                [binary, "backup", "--sandbox"], env=env, stdout=subprocess.PIPE, text=True
            )
            while making.poll() is None:
                peak = max(peak, log_mib())
                time.sleep(0.05)
            took = time.perf_counter() - started
        show("backup", load)
        print(f"         {took:.1f} s in all, log at most {peak:.1f} MiB\n{making.stdout.read()}", flush=True)
finally:
    server.terminate()
    server.wait()
started = time.perf_counter()
subprocess.run([binary, "restore", "latest", "--verify", "--sandbox"], env=env, check=True)
print(f"restore --verify: {time.perf_counter() - started:.1f} s", flush=True)
started = time.perf_counter()
subprocess.run([binary, "restore", "latest", "--sandbox"], env=env, check=True)
print(f"restore: {time.perf_counter() - started:.1f} s")
