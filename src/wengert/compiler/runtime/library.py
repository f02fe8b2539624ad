"""The native runtime, written as LLVM text: loaded once for a process, and kept to its end.

Threads sleep in this code and arrays give memory back through it, so it is never unloaded.

To compile it takes as long as a small program does, so who can do without it for a call does: `library_behind` makes it in a thread meanwhile.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import re
import signal
import threading
import time
from importlib import resources
from pathlib import Path
from typing import Any

from wengert.compiler.engine import COMPILING, Effort, Module, define_symbol, has_symbol
from wengert.compiler.runtime import python
from wengert.errors import CompileError

NEAR = 8192  # bytes of workspace that a call has on its stack
SLOTS = 64  # idle blocks: two for each of a model's arrays, and what lies between its steps
IDLE = (2**28, 2**31)  # bytes in idle blocks: at most a sixteenth of the memory, but within these bounds
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container, on Linux
PATIENCE = 5  # seconds that a fork waits: whoever forks may hold the lock that the thread waits for
SPINS = 2000  # looks for work before a thread goes to sleep: some 100 microseconds
HUGE = getattr(mmap, "MADV_HUGEPAGE", -1)  # where there is no such advice, it is refused and nothing happens
EXPORTED = ("wg_take", "wg_give", "wg_parallel")  # what compiled programs call by name
PARTS = ("pool.ll", "threads.ll", "launcher.ll", "containers.ll")
PLACES = ("sched_getcpu", "sched_getaffinity", "sched_setaffinity")  # functions of systems that say where a thread runs
OF_SYSTEM = re.compile(r"^declare [^@\n]*@((?:pthread_|posix_|sched_|sig)\w*|free|madvise)\(", re.MULTILINE)
EFFORT = Effort(passes=0, instructions=0)  # a call takes 10 ns longer than with all passes, and the first one of a machine 60 ms less


PAUSES = {  # what lets a waiting loop rest
    "x86_64": ("@llvm.x86.sse2.pause", ""),
    "aarch64": ("@llvm.aarch64.hint", "i32 1"),  # yield
}


def source(name: str) -> str:
    """The text of a part, with this machine's and this Python's numbers in place."""
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    rest, declaration = pause()
    words = {
        "HEAD": python.HEAD - 8, "NEAR": NEAR, "SLOTS": SLOTS, "SPINS": SPINS, "HUGE": HUGE, "SIG_SETMASK": int(signal.SIG_SETMASK),
        "DECLARE_PAUSE": declaration, "PAUSE": rest,
    }  # fmt: skip
    for word, meaning in words.items():
        text = text.replace(word, str(meaning))
    return text


def pause() -> tuple[str, str]:
    """The instruction that lets a waiting loop rest, and its declaration."""
    machine = platform.machine().lower().replace("amd64", "x86_64").replace("arm64", "aarch64")
    if machine not in PAUSES:
        return 'fence syncscope("singlethread") seq_cst', ""
    name, operand = PAUSES[machine]
    return f"call void {name}({operand})", f"declare void {name}({operand.partition(' ')[0]})"


def default_threads() -> int:
    """The processors that this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def most_idle() -> int:
    """How many bytes idle blocks may take together: enough for large results that come again, and little of what the machine has."""
    has = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}) else []
    for path in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            has.append(int(Path(path).read_text(encoding="ascii")))
    least, most = IDLE
    return min(max(min(has, default=0) // 16, least), most)


def checked_text() -> str:
    """The whole text; raises `CompileError` where the system has not all that it calls."""
    placement = "placement.ll" if all(map(has_symbol, PLACES)) else "unplaced.ll"
    text = "\n".join(map(source, (*PARTS, placement)))
    missing = [name for name in OF_SYSTEM.findall(text) if not has_symbol(name)]
    if missing:  # LLVM would end the process
        raise CompileError.of_system(platform.system(), missing)
    return text


class Library:
    """The loaded runtime: addresses of its functions, and functions for Python."""

    def __init__(self) -> None:
        text = checked_text()
        for name, address in python.symbols().items():
            define_symbol(name, address)
        self.module = Module(text, EFFORT)
        self.module.keep_forever()
        for name in EXPORTED:
            define_symbol(name, self.module.address(name))
        self.set_word("wg_pool_limit", most_idle())
        self.set_word("wg_threads", default_threads())
        self.reset_threads = ctypes.CFUNCTYPE(None)(self.module.address("wg_threads_reset"))
        self.reset_threads()
        os.register_at_fork(after_in_child=self.reset_threads)
        self.handler = self._handler()
        self.set_word("wg_handler", id(self.handler))

    def _handler(self) -> Any:
        """The capsule by which arrays know where their memory comes from."""
        self.name = ctypes.c_char_p(b"mem_handler")  # the capsule keeps only its address
        wrap = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        capsule = wrap(python.address_of(ctypes.pythonapi.PyCapsule_New))(self.module.address("wg_memory"), self.name, None)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(capsule))  # arrays may outlive every module
        return capsule

    def word(self, name: str) -> int:
        """A global number."""
        return ctypes.c_int64.from_address(self.module.address(name)).value

    def set_word(self, name: str, value: int) -> None:
        """Set a global number."""
        ctypes.c_int64.from_address(self.module.address(name)).value = value


_LOADED: list[Library] = []
_MAKERS: list[threading.Thread] = []


def library() -> Library:
    """The runtime of this process."""
    with COMPILING:
        if not _LOADED:
            _LOADED.append(Library())
        return _LOADED[0]


def is_loaded() -> bool:
    """Whether the runtime is there."""
    return bool(_LOADED)


def library_behind() -> bool:
    """Whether the runtime is there; where it is not, a thread makes it from now on."""
    if _LOADED:
        return True
    if not _MAKERS:
        checked_text()
        maker = threading.Thread(target=_make, name="wengert")
        _MAKERS.append(maker)
        try:
            maker.start()
        except RuntimeError:  # the interpreter is about to end
            library()
    elif not _MAKERS[0].is_alive():  # it has failed, or is the thread of a parent of ours
        library()
    return bool(_LOADED)


def _make() -> None:
    time.sleep(1e-4)  # whoever is waiting for this thread to start goes first
    with contextlib.suppress(Exception):  # who needs the runtime tries again, and is told
        library()


def _finish() -> None:
    """Before a fork: the thread is not there in the child, which would begin anew."""
    for maker in _MAKERS:
        if maker.ident is not None and maker is not threading.current_thread():
            maker.join(PATIENCE)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_finish)
