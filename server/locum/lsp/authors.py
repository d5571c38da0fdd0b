"""Which findings of open documents an agent's session wrote, as far as its hooks' notes and the disk agree.

Asked once for each finding that is new in a document, off the loop. An agent wrote it when the document is the file as a
session left it, and that write brought it in; or when it came with several lines at once while a session noted that it writes
this very file. Whatever else is inserted at once is a person's paste as far as we know, and stays the editor's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from locum.paths import user_paths
from locum.workspace.agent_journal import AgentJournal, Author

if TYPE_CHECKING:
    from locum.lsp.checks import Check
    from locum.lsp.session import Session

NEAR = 5.0
"""Seconds between a note that a file is written and the insertion that it speaks of."""
LATER = 2.0
"""Seconds after which it is looked once more: a hook notes a write when it is done, and an editor may be quicker."""
_FEW = 20
"""Characters of a typed line break with its indentation."""


class Authors:
    """The agents' findings of one session's open documents. On the loop, but for `_look`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._journal = AgentJournal(user_paths().agents)
        self._seen: dict[str, set[str]] = {}
        """Fingerprints that a document has or had, by URI."""
        self._authors: dict[str, dict[str, Author]] = {}
        self._at_once: set[str] = set()
        """Documents whose last edits put in several lines at once."""
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, uri: str) -> Mapping[str, Author]:
        """Return who wrote a document's findings, by fingerprint; a person's are not among them."""
        return self._authors.get(uri, {})

    def edited(self, uri: str, texts: Iterable[str]) -> None:
        """Texts were put into a document, each at once."""
        if any("\n" in text and len(text) > _FEW for text in texts):
            self._at_once.add(uri)

    def checked(self, check: Check) -> None:
        """A document was checked: ask who wrote what is new in it."""
        uri, at_once = check.snapshot.uri, check.snapshot.uri in self._at_once
        self._at_once.discard(uri)
        seen = self._seen.setdefault(uri, set())
        new = {found.finding.fingerprint for found in check.found} - seen
        if new and check.snapshot.path is not None:
            seen |= new
            task = asyncio.get_running_loop().create_task(self._ask(check, new, at_once))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._at_once.discard(uri)
        self._seen.pop(uri, None)
        self._authors.pop(uri, None)

    async def _ask(self, check: Check, new: set[str], at_once: bool) -> None:
        uri, loop = check.snapshot.uri, asyncio.get_running_loop()
        for wait in (0.0, LATER):
            await asyncio.sleep(wait)
            if uri not in self._seen:
                return  # closed meanwhile
            found = await loop.run_in_executor(self._session.quick_thread, self._look, check, new, at_once)
            if found:
                self._authors.setdefault(uri, {}).update(found)
                self._session.tell_again(uri)
            new = new - found.keys()
            if not new:
                return

    def _look(self, check: Check, new: Collection[str], at_once: bool) -> dict[str, Author]:
        path = Path(check.snapshot.path or "")
        self._journal.refresh()
        lately = self._journal.lately(path, NEAR) if at_once else None
        if not self._journal.knows(path):
            return {}
        on_disk = not check.snapshot.notebook and _is_on_disk(path, check.snapshot.text)
        found = {name: (self._journal.author(path, name) if on_disk else None) or lately for name in new}
        return {name: author for name, author in found.items() if author is not None}


def _is_on_disk(path: Path, text: str) -> bool:
    """Say whether a file holds exactly this text."""
    from locum.text.source import SourceText
    from locum.workspace.walk import Skipped, read_file

    data = read_file(path)
    return not isinstance(data, Skipped) and SourceText.from_bytes(data).text == text
