"""How fast, how small, and compared with whom: ``python -m benchmarks [question ...]``.

One file for each question. Every question asserts that all contenders do the same work correctly before it takes
time, and lets them take turns, so that a noisy machine is noisy for all of them: read the ratios, which are medians of
ratios within one round, and take absolute figures as of that machine and that hour.

``timing`` measures and prints, ``workloads`` has the packets that everyone gets, ``peers`` the other libraries, which
are skipped where they are not installed.
"""
