"""The smallest programs there are, for two kinds of processor: they say a line and end.

Each is an ELF file of one segment and a few instructions: `write(1, text, length)`, then `exit(0)`. Nothing else is
needed, no library and no shell, so an image with nothing but this file runs, on the right processor.

The file's layout: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
The numbers of the system calls: https://github.com/torvalds/linux/tree/master/include/uapi/asm-generic (arm64) and
https://github.com/torvalds/linux/blob/master/arch/x86/entry/syscalls/syscall_64.tbl (amd64)
"""

import struct

BASE = 0x400000  # where the file lies in memory
HEADERS = 64 + 56  # bytes: of the file, and of its one segment
MACHINES = {"amd64": 62, "arm64": 183}  # e_machine
_CALL_ARM64 = 0xD4000001  # svc 0


def program(machine: str, text: str) -> bytes:
    """A Linux program as the bytes of its file.

    Args:
        machine: `amd64` or `arm64`, as Docker names them.
        text: what it writes to standard output; fewer than 65,536 bytes.

    Raises:
        KeyError: another machine.
    """
    words = text.encode()
    make = {"amd64": _amd64, "arm64": _arm64}[machine]
    length = len(make(0, 0))
    code = make(BASE + HEADERS + length, len(words))
    size = HEADERS + len(code) + len(words)
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)  # 64 bits, little-endian, version 1
    header = struct.pack(
        "<HHIQQQIHHHHHH", 2, MACHINES[machine], 1, BASE + HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000)  # load all of it, to read and run
    return identity + header + segment + code + words


def _amd64(address: int, length: int) -> bytes:
    write = b"\xb8\x01\0\0\0\xbf\x01\0\0\0\x48\xbe" + struct.pack("<Q", address) + b"\xba" + struct.pack("<I", length)
    return write + b"\x0f\x05" + b"\xb8\x3c\0\0\0\x31\xff\x0f\x05"


def _arm64(address: int, length: int) -> bytes:
    def move(register: int, value: int) -> list[int]:
        whole = [0xD2800000 | ((value & 0xFFFF) << 5) | register]
        return [*whole, 0xF2A00000 | ((value >> 16) << 5) | register]

    write = [*move(0, 1), *move(1, address), *move(2, length), *move(8, 64), _CALL_ARM64]
    leave = [*move(0, 0), *move(8, 93), _CALL_ARM64]
    return struct.pack(f"<{len(write + leave)}I", *write, *leave)
