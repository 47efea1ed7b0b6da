#!/usr/bin/env python3
"""Kills the service with SIGKILL at random points, over all job states, and checks the invariants after each kill.

With --system it is the system instance, and each round kills its other processes too.

The state, the destination and the ledger live through all rounds, so that crashes meet the leftovers of earlier crashes.
"""
import os
import shutil
import sys
import tempfile
import time

from harness import SKIPPED, Crash, arguments, invariants, leave_mount_namespace


def main():
    args = arguments(__doc__, 300).parse_args()
    if args.system and os.geteuid() != 0:
        print("SKIP: a system instance has users: needs root")
        return SKIPPED
    if args.system:
        leave_mount_namespace()
    root = tempfile.mkdtemp(prefix="dosvc-kill-")
    os.chmod(root, 0o755)
    destination = os.path.join(root, "files")
    os.mkdir(destination)
    invariants.plant_foreign(destination)
    crash = Crash(args, os.path.join(root, "state"), destination)
    os.umask(0o022)
    began = time.monotonic()
    for number in range(args.rounds):
        crash.origin.rate = crash.random.choice([None, 2 << 20, 500_000])
        if number % 4 == 0:
            invariants.age_backup(crash.state)
        crash.start_service()
        crash.report(f"round {number}, restarted", invariants.check_service(crash.service, destination, crash.ledger))
        crash.work_until_killed(crash.service.kill, crash.random.choice([0.0, 0.01, 0.03, 0.1, 0.3]) * crash.random.random()
                                if number % 10 else 0.8)
        crash.report(f"round {number}, killed", invariants.check_disk(crash.state, destination, crash.ledger))
        crash.forget_finished()
        crash.tell(number)
    crash.service.start()
    crash.report("end", invariants.check_service(crash.service, destination, crash.ledger))
    crash.settle()
    crash.service.stop()
    failed = crash.finish(args.rounds, began)
    crash.close()
    if failed == 0:
        shutil.rmtree(root)
    else:
        print(f"kept {root}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
