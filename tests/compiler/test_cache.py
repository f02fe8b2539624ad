"""Object files on disk: found again by another process, and never run when anything is wrong with them."""

import hashlib
import multiprocessing
import os
import stat
import subprocess
import sys
import time

import pytest

from wengert.compiler import cache as module_of_cache
from wengert.compiler.cache import Cache, default_folder, fingerprint
from wengert.compiler.engine import Module

TEXT = "define i64 @f() {\n  ret i64 42\n}\n"


@pytest.fixture
def cache(tmp_path):
    return Cache(str(tmp_path / "objects"))


def the_file(cache):
    (name,) = os.listdir(cache.folder)
    return os.path.join(cache.folder, name)


def test_what_was_put_is_got(cache):
    assert cache.get("a" * 64) is None
    cache.put("a" * 64, b"code")
    assert cache.get("a" * 64) == b"code"
    assert cache.get("b" * 64) is None


def test_a_second_module_is_loaded(cache):
    first, second = Module(TEXT, cache=cache), Module(TEXT, cache=cache)
    assert (first.is_from_cache, second.is_from_cache) == (False, True)
    assert first.code == second.code


def test_another_text_is_another_program(cache):
    Module(TEXT, cache=cache)
    assert not Module(TEXT.replace("42", "43"), cache=cache).is_from_cache


def test_without_a_cache_nothing_is_written(cache):
    assert not Module(TEXT, cache=False).is_from_cache
    assert not os.path.exists(cache.folder) or not os.listdir(cache.folder)


@pytest.mark.parametrize("damage", [
    lambda data: data[:-1],
    lambda data: data[:10],
    lambda data: b"",
    lambda data: data + b"x",
    lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
    lambda data: bytes([data[0] ^ 1]) + data[1:],
])  # fmt: skip
def test_damaged_files_are_made_anew(cache, damage):
    good = Module(TEXT, cache=cache).code
    path = the_file(cache)
    with open(path, "rb") as file:
        whole = file.read()
    with open(path, "wb") as file:
        file.write(damage(whole))
    again = Module(TEXT, cache=cache)
    assert not again.is_from_cache
    assert again.code == good
    assert Module(TEXT, cache=cache).is_from_cache


def test_a_file_under_a_false_name_is_not_run(cache):
    cache.put("a" * 64, b"code")
    os.rename(os.path.join(cache.folder, "a" * 64), os.path.join(cache.folder, "b" * 64))
    assert cache.get("b" * 64) is None
    assert os.listdir(cache.folder) == []


def test_names_depend_on_every_part():
    names = {fingerprint("a", "b"), fingerprint("ab", ""), fingerprint("", "ab"), fingerprint("a", "c"), fingerprint("ab")}
    assert len(names) == 5
    assert all(len(name) == 64 for name in names)


def test_the_size_is_bounded(tmp_path):
    cache = Cache(str(tmp_path), limit=10_000)
    for k in range(30):
        cache.put(f"{k:064}", bytes(1000))
        os.utime(os.path.join(cache.folder, f"{k:064}"), (k, k))
        if k == 5:
            assert cache.get(f"{0:064}") is not None  # used again, so it stays longer than what came after it
            kept = time.time() + 1000
            os.utime(os.path.join(cache.folder, f"{0:064}"), (kept, kept))
    total = sum(entry.stat().st_size for entry in os.scandir(cache.folder))
    assert total <= 10_000
    assert cache.get(f"{29:064}") is not None
    assert cache.get(f"{0:064}") is not None
    assert cache.get(f"{1:064}") is None


def test_clear(cache):
    cache.put("a" * 64, b"code")
    cache.clear()
    assert os.listdir(cache.folder) == []


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_folder_that_others_may_write_is_not_used(tmp_path):
    os.chmod(tmp_path, 0o777)
    cache = Cache(str(tmp_path))
    cache.put("a" * 64, b"code")
    assert os.listdir(tmp_path) == []
    assert cache.get("a" * 64) is None


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_the_folder_is_private(cache):
    cache.put("a" * 64, b"code")
    assert stat.S_IMODE(os.stat(cache.folder).st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    cache = Cache(str(tmp_path / "file" / "objects"))
    module = Module(TEXT, cache=cache)
    assert not module.is_from_cache


def test_a_disk_that_fills_up_is_no_error(cache, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module_of_cache.os, "replace", full)
    assert not Module(TEXT, cache=cache).is_from_cache
    assert os.listdir(cache.folder) == []


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == str(tmp_path / "wengert")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the specification
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder() == str(tmp_path / ".cache" / "wengert")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_folder() == str(tmp_path / "Library" / "Caches" / "wengert")


def _write(folder, number):
    cache = Cache(folder)
    for k in range(200):
        key = hashlib.sha256(str(k % 7).encode()).hexdigest()
        cache.put(key, str(k % 7).encode() * (1000 + number))
        found = cache.get(key)
        if found is not None and set(found) != {ord(str(k % 7))}:
            os._exit(1)
    os._exit(0)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="forks")
def test_many_writers_at_once(cache):
    children = []
    for number in range(6):
        child = os.fork()
        if child == 0:
            _write(cache.folder, number)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
    assert len(os.listdir(cache.folder)) == 7  # nothing temporary is left


SECOND = """
import time
from wengert.compiler import engine
from wengert.compiler.cache import Cache
module = engine.Module({text!r}, cache=Cache({folder!r}))
print(module.is_from_cache)
"""


def test_a_second_process_starts_warm(cache):
    program = SECOND.format(text=TEXT, folder=cache.folder)
    answers = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert [answer.strip() for answer in answers] == ["False", "True"]
