# A disk in memory for nbdkit, which writes what is asked of it into a log: `nbdkit python block-log.py log=FILE size=BYTES`.
# One record a request: u64 monotonic time in ns, u8 kind (1 write, 2 flush, 3 zeros), u64 offset, u32 length, the bytes.
import builtins
import struct
import time

import nbdkit

API_VERSION = 2
WRITE, FLUSH, ZERO = 1, 2, 3

disk = bytearray()
log = None


def config(key, value):
    global disk, log
    if key == "log":
        log = builtins.open(value, "wb")
    elif key == "size":
        disk = bytearray(int(value))


def thread_model():
    return nbdkit.THREAD_MODEL_SERIALIZE_ALL_REQUESTS


def open(readonly):
    return 1


def get_size(handle):
    return len(disk)


def can_flush(handle):
    return True


def can_fua(handle):
    return nbdkit.FUA_NATIVE


def pread(handle, buffer, offset, flags):
    buffer[:] = disk[offset : offset + len(buffer)]


def pwrite(handle, buffer, offset, flags):
    disk[offset : offset + len(buffer)] = buffer
    record(WRITE, offset, len(buffer), bytes(buffer))
    if flags & nbdkit.FLAG_FUA:
        record(FLUSH)


def zero(handle, count, offset, flags):
    disk[offset : offset + count] = bytes(count)
    record(ZERO, offset, count)
    if flags & nbdkit.FLAG_FUA:
        record(FLUSH)


def flush(handle, flags):
    record(FLUSH)


def record(kind, offset=0, length=0, content=b""):
    log.write(struct.pack("<QBQI", time.monotonic_ns(), kind, offset, length) + content)
    log.flush()
