"""Run a program within what archnest.service leaves it, on a machine without systemd.

    confined.py 'SYSCALL …' 'FAMILY …' PROGRAM [ARGUMENT …]

Takes away new privileges, every system call and socket family that is not
named, and memory that is both written and run, by the rules of systemd's
MemoryDenyWriteExecute; libseccomp is what systemd itself uses.
"""

import ctypes
import errno
import os
import socket
import sys
from mmap import PROT_EXEC, PROT_WRITE

ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM
EQUAL, MASKED_EQUAL = 4, 7
PR_SET_NO_NEW_PRIVS = 38
UNKNOWN = -1


class Comparison(ctypes.Structure):
    """libseccomp's scmp_arg_cmp."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("other", ctypes.c_uint64),
    )


def without(protection: int) -> Comparison:
    """Whether mmap's or mprotect's third argument lacks this."""
    return Comparison(2, MASKED_EQUAL, protection, 0)


def must(result: int, what: str) -> None:
    if result < 0:
        sys.exit(f"{what} failed: {result}")


def main(calls: list[str], families: list[str], program: list[str]) -> None:
    """Confine this process and become the program."""
    must(ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    held = ctypes.c_void_p(seccomp.seccomp_init(REFUSE))
    only = {
        "socket": [Comparison(0, EQUAL, getattr(socket, family), 0) for family in families],
        "mmap": [without(PROT_EXEC), without(PROT_WRITE)],
        "mprotect": [without(PROT_EXEC)],
    }
    for name in calls:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number == UNKNOWN:
            continue
        if name not in only:
            must(seccomp.seccomp_rule_add(held, ALLOW, number, 0), name)
        for one in only.get(name, []):
            at = ctypes.byref(one)
            must(seccomp.seccomp_rule_add_array(held, ALLOW, number, 1, at), name)
    must(seccomp.seccomp_load(held), "seccomp")
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1].split(), sys.argv[2].split(), sys.argv[3:])
