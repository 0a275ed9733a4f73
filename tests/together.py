"""Which tests share a worker.

What takes long to make is made once on each worker, so tests that share it run on one: otherwise both would make it.
(xdist's own groups do not reach pytest 9.2, which keeps the name of a test where xdist does not write.)
"""

import re

from xdist.scheduler import LoadScopeScheduling

# A test's name and the group that it runs in; what no pattern fits goes wherever a worker is free.
GROUPS = (
    (re.compile(r"^tests/web/.*[\[-]zh\]$"), "pages in Chinese"),
    (re.compile(r"^tests/web/.*[\[-]en\]$"), "pages in English"),
    (re.compile(r"^tests/clients/test_programs\.py.*[\[-]embedded[\]-]"), "programs against the embedded default"),
    (re.compile(r"^tests/clients/test_programs\.py.*[\[-]apart[\]-]"), "programs against everything apart"),
    (re.compile(r"^tests/clients/test_store_away\.py"), "a store that is away"),
    (re.compile(r"^tests/escape/(test_served|.*\[postgresql)"), "escapes over a socket and on PostgreSQL"),
    (re.compile(r"^tests/escape/"), "escapes"),
    (re.compile(r"^tests/house/test_languages\.py"), "languages"),
    (re.compile(r"^tests/house/test_containerfile\.py"), "containerfile"),
)


class Together(LoadScopeScheduling):
    """Gives the tests of one group to one worker, and all others one by one."""

    def _split_scope(self, nodeid: str) -> str:
        return next((group for pattern, group in GROUPS if pattern.search(nodeid)), nodeid)
