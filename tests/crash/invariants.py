"""One checker for everything that kills: I1 to I8 of the design, over a state folder, a destination folder and what was acknowledged.

The ledger says what the service has acknowledged, job by job. Disk checks (I2, I3, I6, I7, I8) need no running service: they read a copy
of the database and the files as a crash left them. Promise checks (I1, I4, I5) ask the service that was started again.
"""
import functools
import os
import shutil
import sqlite3
import stat
import tempfile

from origin import content

content = functools.lru_cache(maxsize=128)(content)  # each is asked for after each crash

FOREIGN = "foreign.dosvc-keep.part"
FOREIGN_TEMP = ".dosvc-AAAAAAAAAAAAAAAAAAAAAA.part"  # of our form, but nobody's: young, so no sweep may take it


class Job:
    """What one job was promised. files: path -> (name, size)."""

    def __init__(self, name, files, complete):
        self.name = name
        self.files = files
        self.maybe = {}           # of an AddFiles that was sent and perhaps not answered
        self.complete = complete  # complete-when-transferred
        self.acknowledged = None  # "completed", "cancelled"
        self.asked = set()        # calls that were sent and perhaps not answered


class Ledger:
    def __init__(self):
        self.jobs = {}     # id -> Job: CreateJob was answered
        self.unsure = []   # Job: CreateJob was sent, no answer came
        self.has_backup = False  # one was seen
        self.uid = os.geteuid()  # whose the files are
        self.seen_whole = {}  # path -> identity of a final file that was read and found right after a crash

    def all_files(self):
        for job in list(self.jobs.values()) + self.unsure:
            yield from job.files.items()
            yield from job.maybe.items()


BACKUPS = (".backup-1", ".backup-2")


def copy_database(state):
    folder = tempfile.mkdtemp(prefix="dosvc-db-")
    for suffix in ("", "-wal", "-journal") + BACKUPS:
        path = os.path.join(state, "jobs.sqlite" + suffix)
        if os.path.exists(path):
            shutil.copy(path, folder)
    return folder


def open_copy(path):
    db = sqlite3.connect(path)
    db.execute("PRAGMA synchronous = OFF")  # a copy need not outlive anything
    return db


def check_disk(state, destination, ledger, umask=0o022):
    """After a crash, before the next start. Returns a list of violations."""
    bad = []
    final = dict(ledger.all_files())
    folder = copy_database(state)
    try:
        path = os.path.join(folder, "jobs.sqlite")
        if os.path.exists(path):
            db = open_copy(path)
            if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                bad.append("I8: integrity_check")
            if db.execute("PRAGMA foreign_key_check").fetchall():
                bad.append("I8: foreign_key_check")
            if db.execute("PRAGMA user_version").fetchone()[0] > 0:
                bad += check_ranges(db, final)
            db.close()
        bad += check_backups(folder, ledger)
    finally:
        shutil.rmtree(folder)
    bad += check_finals(destination, final, umask, ledger.seen_whole, ledger.uid)
    return bad


def check_backups(folder, ledger):
    """What has a backup's name is whole, and once there was one there always is."""
    bad = []
    there = [p for p in (os.path.join(folder, "jobs.sqlite" + suffix) for suffix in BACKUPS) if os.path.exists(p)]
    for path in there:
        try:
            db = open_copy(path)
        except sqlite3.DatabaseError as e:
            bad.append(f"I8: {os.path.basename(path)}: {e}")
            continue
        try:
            if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok" or db.execute("PRAGMA foreign_key_check").fetchall():
                bad.append(f"I8: {os.path.basename(path)} is damaged")
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                bad.append(f"I8: {os.path.basename(path)} is empty")
        except sqlite3.DatabaseError as e:
            bad.append(f"I8: {os.path.basename(path)}: {e}")
        finally:
            db.close()
    if ledger.has_backup and not there:
        bad.append("I8: there was a backup, and none is left")
    ledger.has_backup = bool(there)
    return bad


def age_backup(state):
    """So that the next start makes another one."""
    path = os.path.join(state, "jobs.sqlite" + BACKUPS[0])
    if os.path.exists(path):
        os.utime(path, (1e9, 1e9))


def check_ranges(db, final):
    bad = []
    rows = db.execute("SELECT f.path, f.temp_name, r.start, r.stop, f.state FROM durable_range r "
                      "JOIN file f ON f.job = r.job AND f.idx = r.file "
                      # A complete file has no row of ranges: its state claims all of it.
                      "UNION ALL SELECT path, temp_name, 0, size, state FROM file WHERE state = 1 AND size > 0").fetchall()
    for path, temp_name, start, stop, state in rows:
        path = os.fsdecode(path)
        if path not in final or state not in (0, 1):
            continue
        name, size = final[path]
        temp = os.path.join(os.path.dirname(path), temp_name)
        # Published under a committed intent and not yet recorded as such: the bytes are at the final name.
        at = temp if os.path.exists(temp) else path
        try:
            with open(at, "rb") as f:
                f.seek(start)
                there = f.read(stop - start)
        except FileNotFoundError:
            cancelling = db.execute("SELECT j.intent FROM job j JOIN file f ON f.job = j.key WHERE f.path = ?",
                                    (os.fsencode(path),)).fetchone()
            if not cancelling or cancelling[0] == 0:
                bad.append(f"I2: {path}: [{start}, {stop}) is recorded, but the file is gone")
            continue
        if there != content(name, size)[start:stop]:
            bad.append(f"I2: {path}: recorded bytes [{start}, {stop}) are not on disk")
    return bad


def check_finals(destination, final, umask, seen_whole=None, uid=None):
    """seen_whole: the files in it are read again only if they changed since (whatever changes a file's bytes or its inode changes ctime)."""
    bad = []
    seen_whole = {} if seen_whole is None else seen_whole
    uid = os.geteuid() if uid is None else uid
    for entry in os.listdir(destination):
        path = os.path.join(destination, entry)
        if path not in final:
            continue
        name, size = final[path]
        info = os.lstat(path)
        identity = (info.st_ino, info.st_size, info.st_ctime_ns)
        if seen_whole.get(path) != identity:
            with open(path, "rb") as f:
                if f.read() == content(name, size):
                    seen_whole[path] = identity
                else:
                    bad.append(f"I3: {path}: partial or wrong content under the final name ({info.st_size} of {size} bytes)")
        if not stat.S_ISREG(info.st_mode) or info.st_uid != uid or info.st_mode & 0o7777 != 0o666 & ~umask:
            bad.append(f"I7: {path}: mode {info.st_mode:o} uid {info.st_uid}")
    for entry in (FOREIGN, FOREIGN_TEMP):
        path = os.path.join(destination, entry)
        if os.path.exists(os.path.join(destination, FOREIGN)) and not os.path.exists(path):
            bad.append(f"I6: a foreign file was touched: {entry}")
    return bad


def plant_foreign(destination):
    for entry in (FOREIGN, FOREIGN_TEMP):
        with open(os.path.join(destination, entry), "w", encoding="ascii") as f:
            f.write("mine")
    os.sync()


def check_service(service, destination, ledger):
    """After the next start. Updates the ledger with what came of calls that were not answered."""
    bad = []
    live = service.list_jobs()
    for job_id, job in list(ledger.jobs.items()):
        there = [p for p in job.files if os.path.exists(p)]
        if job.acknowledged in ("completed", "cancelled"):
            if job_id in live:
                bad.append(f"I5: {job_id} was {job.acknowledged} and is back as {live[job_id]['State']}")
            if job.acknowledged == "completed" and len(there) < len(job.files) and "partial" not in job.asked:
                bad.append(f"I5: {job_id} was completed, {len(job.files) - len(there)} files are missing")
            continue
        if job_id in live:
            row = live[job_id]
            if row["FilesTotal"] == len(job.files) + len(job.maybe):
                job.files.update(job.maybe)
                job.maybe = {}
            if row["Name"] != job.name or row["FilesTotal"] != len(job.files):
                bad.append(f"I1: {job_id}: name {row['Name']!r}, {row['FilesTotal']} files, was {job.name!r}, {len(job.files)}")
            # A file that is added to a transferred job leaves it transferred until Resume (BITS: AddFile).
            if row["State"] == "transferred" and row["FilesTransferred"] != row["FilesTotal"] and "addfiles" not in job.asked:
                bad.append(f"I4: {job_id} is transferred with {row['FilesTransferred']} of {row['FilesTotal']} files")
            continue
        # Gone without an acknowledged end: only a Complete or Cancel that was asked for, or carried in the job, may do that.
        if "cancel" in job.asked and not there:
            job.acknowledged = "cancelled"
        elif (job.complete or "complete" in job.asked) and (len(there) == len(job.files) or "complete" in job.asked):
            job.acknowledged = "completed"
            job.asked.add("partial")
        elif "cancel" in job.asked and ("complete" in job.asked or job.complete):
            job.acknowledged = "cancelled"
        else:
            bad.append(f"I1: {job_id} ({job.name}, asked {sorted(job.asked)}, {len(there)}/{len(job.files)} files there) is lost")
    by_name = {row["Name"]: job_id for job_id, row in live.items()}
    for job in ledger.unsure:
        if job.name in by_name and by_name[job.name] not in ledger.jobs:
            ledger.jobs[by_name[job.name]] = job
    return bad


def check_temps(service, destination):
    """I6, when the service has settled: each temp file belongs to a live job."""
    known = set()
    for job_id in service.list_jobs():
        known |= {os.fsdecode(bytes(f["TemporaryName"])) for f in service.list_files(job_id)}
    return [f"I6: {e} belongs to no job" for e in os.listdir(destination)
            if e.startswith(".dosvc-") and e.endswith(".part") and e not in known and e != FOREIGN_TEMP]
