"""What the client can do, boiled down once to the questions that we ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from lsprotocol import types
from pygls.capabilities import get_capability


@dataclass(frozen=True, slots=True)
class Client:
    """Flat facts about the client."""

    pulls_diagnostics: bool = False
    """It asks for diagnostics, and can be told to ask again. Else they are pushed; never both."""
    code_descriptions: bool = False
    related_information: bool = False
    fades: bool = False
    """It shows what has no effect any more as faded (`DiagnosticTag.Unnecessary`)."""
    document_changes: bool = False
    answers_messages: bool = False
    """It can show a question with buttons."""
    answers_approvals: bool = False
    """It knows our own request `locum/approve`."""
    takes_values: bool = False
    """It lets a person type a value and stores it itself (`locum/askValue`): no value comes to us."""
    progress: bool = False
    watches_files: bool = False
    """It can be asked to tell of files that change on the disk."""
    markdown_hover: bool = False
    refreshes_hints: bool = False
    """It can be told to ask for inlay hints again."""
    shows_documents: bool = False
    """It can open a page in a browser."""
    approvals: str = "client"
    """Who holds the control channel: "server" or "client"."""


def resolve(params: types.InitializeParams) -> Client:
    """Read the initialize request. What is missing or odd counts as "cannot"."""
    caps = params.capabilities
    options: Any = params.initialization_options
    experimental: Any = caps.experimental

    def has(path: str) -> bool:
        return bool(get_capability(caps, path, None))

    answers = get_capability(caps, "window.show_message.message_action_item", None) is not None
    formats: Any = get_capability(caps, "text_document.hover.content_format", None) or ()

    def of_diagnostics(name: str) -> Any:
        """Read what the protocol lets a client say in two places, and most say in the first whichever they use."""
        places = (f"text_document.{place}.{name}" for place in ("publish_diagnostics", "diagnostic"))
        return next((value for value in (get_capability(caps, place, None) for place in places) if value), None)

    return Client(
        pulls_diagnostics=has("text_document.diagnostic") and has("workspace.diagnostics.refresh_support"),
        code_descriptions=bool(of_diagnostics("code_description_support")),
        related_information=bool(of_diagnostics("related_information")),
        fades=types.DiagnosticTag.Unnecessary in (of_diagnostics("tag_support.value_set") or ()),
        document_changes=has("workspace.workspace_edit.document_changes"),
        answers_messages=answers,
        answers_approvals=dig(experimental, "locum", "approve") is True,
        takes_values=dig(options, "askValue") is True,
        progress=has("window.work_done_progress"),
        watches_files=has("workspace.did_change_watched_files.dynamic_registration"),
        shows_documents=has("window.show_document.support"),
        markdown_hover=types.MarkupKind.Markdown in formats,
        refreshes_hints=has("workspace.inlay_hint.refresh_support"),
        approvals=_approvals(dig(options, "approvals"), answers),
    )


def _approvals(wanted: Any, answers: bool) -> str:
    if wanted in {"server", "client"}:
        return wanted
    return "server" if answers else "client"


def dig(value: Any, *path: str) -> Any:
    """Follow keys through what may be dictionaries, objects or nothing."""
    for key in path:
        value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else getattr(value, key, None)
    return value
