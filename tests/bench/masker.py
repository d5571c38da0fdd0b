"""Prints how fast the mask is: throughput by chunk size and number of secrets, and the time of one key stroke.

Run it with `python tests/bench/masker.py`. It asserts nothing: wall-clock time belongs in no test.
"""

from __future__ import annotations

import random
import string
import time

from locum.run.masker import Masker
from locum.secret import SecretBytes

RANDOM = random.Random(7)
ALPHABET = string.ascii_letters + string.digits + "+/$!&\"'<"
WORDS = ["".join(RANDOM.choices(string.ascii_lowercase, k=RANDOM.randint(2, 9))) for _ in range(5000)]


def values(count: int, lengths: tuple[int, ...] = (24, 32, 40, 64)) -> list[bytes]:
    return ["".join(RANDOM.choices(ALPHABET, k=RANDOM.choice(lengths))).encode() for _ in range(count)]


def log(size: int, *, colour: bool, secrets: list[bytes], every: int) -> bytes:
    lines: list[bytes] = []
    while size > 0:
        stamp = "\x1b[32m2026-11-23T10:00:00\x1b[0m" if colour else "2026-11-23T10:00:00"
        line = f"{stamp} INFO {' '.join(RANDOM.choices(WORDS, k=12))}\r\n".encode()
        if every and RANDOM.randrange(every) == 0:
            line = b"token=" + RANDOM.choice(secrets) + b"\r\n"
        lines.append(line)
        size -= len(line)
    return b"".join(lines)


def percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1e6


def throughput(masker: Masker, data: bytes, chunk: int) -> tuple[float, list[float]]:
    times: list[float] = []
    for start in range(0, len(data), chunk):
        before = time.perf_counter()
        masker.feed(data[start : start + chunk])
        times.append(time.perf_counter() - before)
    masker.flush()
    return len(data) / sum(times) / 1e6, times


def main() -> None:
    for count, lengths in ((20, (24, 32, 40, 64)), (20, (8, 24, 40)), (200, (24, 32, 40, 64))):
        secrets = values(count, lengths)
        before = time.perf_counter()
        masker = Masker({f"locum://S{number}": SecretBytes(secret) for number, secret in enumerate(secrets)})
        print(f"\n{count} secrets of {lengths} bytes, tables built in {(time.perf_counter() - before) * 1e3:.0f} ms")
        for kind, colour, every in (
            ("plain", False, 0),
            ("1 secret in 1000 lines", False, 1000),
            ("coloured", True, 0),
        ):
            data = log(8 << 20, colour=colour, secrets=secrets, every=every)
            for chunk in (80, 512, 4096, 65536):
                part = data if chunk > 80 else data[: 1 << 20]
                rate, times = throughput(masker, part, chunk)
                print(
                    f"{kind:>24} {chunk:6} B a chunk: {rate:6.1f} MB/s,"
                    f" p50 {percentile(times, 0.5):6.1f} us, p99 {percentile(times, 0.99):6.1f} us"
                )
        typed = " ".join(RANDOM.choices(WORDS, k=500)).encode()
        times, held = [], 0
        for at in range(len(typed)):
            before = time.perf_counter()
            masker.feed(typed[at : at + 1])
            times.append(time.perf_counter() - before)
            held += masker.holding
        print(
            f"key stroke: p50 {percentile(times, 0.5):.1f} us, p99 {percentile(times, 0.99):.1f} us,"
            f" held {held} of {len(typed)}"
        )


if __name__ == "__main__":
    main()
