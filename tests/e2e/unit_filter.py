"""A program under the system calls that a unit of systemd leaves it:

    unit_filter.py UNIT COMMAND...

Needs systemd-analyze, which knows the named sets, and a C compiler, which knows the numbers.
"""

import ctypes
import os
import re
import struct
import subprocess
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with EPERM


def members(words):
    """The calls of these names and sets; a set may have sets in it."""
    found = set()
    for word in words:
        if not word.startswith("@"):
            found.add(word)
            continue
        listed = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", word], capture_output=True, text=True, check=True)
        found |= members(line.strip() for line in listed.stdout.splitlines()[1:] if line.startswith(" ") and "#" not in line)
    return found


def allowed(unit):
    """systemd.exec(5): the first line says what is allowed, with ~ what is not; those to ask for time and to end always are."""
    calls = members(["@default"])
    with open(unit) as lines:
        for line in lines:
            if line.startswith("SystemCallFilter="):
                words = line.split("=", 1)[1].split()
                if words[0].startswith("~"):
                    calls -= members([words[0][1:], *words[1:]]) - members(["@default"])
                else:
                    calls |= members(words)
    return calls


def numbers():
    compiler = ["cc", "-E", "-dM", "-include", "asm/unistd.h", "-x", "c", "/dev/null"]
    done = subprocess.run(compiler, capture_output=True, text=True, check=True)
    return {name: int(number) for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", done.stdout, re.M)}


def call(name, *words):
    """What the kernel answers; -1: an error."""
    return ctypes.CDLL(None).syscall(numbers()[name], *words)


def program(unit):
    known = numbers()
    code = struct.pack("HBBI", LOAD_WORD, 0, 0, 0)  # the call's number
    for number in sorted({known[name] for name in allowed(unit) if name in known}):
        code += struct.pack("HBBI", JUMP_IF_EQUAL, 0, 1, number) + struct.pack("HBBI", RETURN, 0, 0, ALLOW)
    return code + struct.pack("HBBI", RETURN, 0, 0, REFUSE)


class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def main(unit, *command):
    code = program(unit)
    rules = Filter(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(rules), 0, 0)):
        if libc.prctl(*words) != 0:
            sys.exit(f"unit_filter: prctl: {os.strerror(ctypes.get_errno())}")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
