"""Become one supervised process: tell the guard our process id, then turn into the command.

Run as a file by a bare interpreter (``python -I -S launch.py FD SIGNAL USER COMMAND…``), so it imports nothing of
ours. ``FD`` is the guard's pipe, ``SIGNAL`` what the process is sent when ``up`` dies, ``USER`` the account to run
as (empty: stay). Announcing before the command starts leaves no moment in which a process of the system is unknown
to the guard.
"""

import ctypes
import os
import pwd
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def _become(user: str) -> None:
    account = pwd.getpwnam(user)
    os.initgroups(user, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def _die_with_parent(signal_number: int) -> None:
    # The second line of defence, for the case that up and its guard are killed together. Linux only.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number)


def main(arguments: list[str]) -> None:
    """Announce, drop privileges where asked, and replace this process by the command."""
    descriptor, signal_number, user, *command = arguments
    guard = int(descriptor)
    os.write(guard, f"+{os.getpid()} {signal_number}\n".encode())
    os.set_inheritable(guard, False)  # else the guard would never see the end of its pipe
    if user:
        _become(user)
    _die_with_parent(int(signal_number))  # after the change of user, which resets it
    os.execvp(command[0], command)  # noqa: S606 - the command is ours


if __name__ == "__main__":
    main(sys.argv[1:])
