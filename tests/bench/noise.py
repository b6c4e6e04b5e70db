"""CPU time of processes, and whether the machine is quiet enough to measure."""

import os
import resource
import time

TICK = os.sysconf("SC_CLK_TCK")


def tree(pid):
    found = {pid}
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as children:
                for child in children.read().split():
                    found |= tree(int(child))
    except OSError:
        pass  # it has gone
    return found


def cpu_s(pids):
    """User and system time of processes and all below them."""
    ticks = 0
    for pid in {one for pid in pids for one in tree(pid)}:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return ticks / TICK


def machine_s():
    with open("/proc/stat") as stat:
        fields = [int(field) for field in stat.readline().split()[1:9]]
    return sum(fields[i] for i in (0, 1, 2, 5, 6)) / TICK


def own_s():
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Watch:
    """What others used of the machine meanwhile, in cores."""

    def __init__(self, known):
        self.known = known
        self.began = time.monotonic()
        self.before = self.others()

    def others(self):
        return machine_s() - own_s() - cpu_s(self.known)

    def noise(self):
        return (self.others() - self.before) / (time.monotonic() - self.began)


def wait_quiet(known, limit, patience_s=30):
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        watch = Watch(known)
        time.sleep(0.25)
        if watch.noise() < limit:
            return
