"""A program that has started long ago can load the library: what its threads need of the memory that is handed out at the start is
little, since other libraries want of the same 1.5 KiB (glibc: "cannot allocate memory in static TLS block").

    late.py LIBRARY
"""

import struct
import sys
from pathlib import Path

MOST = 64
PT_TLS = 7

image = Path(sys.argv[1]).read_bytes()
assert image[:5] == b"\x7fELF\2", "a 64-bit ELF"
(table,) = struct.unpack_from("=Q", image, 32)
size, count = struct.unpack_from("=HH", image, 54)
headers = [struct.unpack_from("=IIQQQQQQ", image, table + size * index) for index in range(count)]
needed = sum(header[6] for header in headers if header[0] == PT_TLS)
print(f"{needed} bytes for each thread, {MOST} at most")
sys.exit(needed > MOST)
