"""Fetching known voices from the hub."""

from __future__ import annotations

from collections.abc import Sequence

from ttsctl.errors import TtsctlError
from ttsctl.settings import voices_folder
from ttsctl.voices import download
from ttsctl.voices.download import Means
from ttsctl.voices.known import KnownItem
from ttsctl.workflows.voices.loading import InstallReport, Load, load_in_worker, load_new, report


def fetch(items: Sequence[KnownItem], means: Means, load: Load = load_in_worker) -> InstallReport:
    """Fetch what is missing of `items`, and have it loaded.

    A voice that cannot be loaded is kept: its digests are right, so the fault lies elsewhere.

    Raises:
        ModelNotFoundError: The hub cannot be reached, or what it has is wrong.
        OutputError: The disk is full, or the folder cannot be written.
        EngineError: The engine cannot load the voice.
    """
    root = voices_folder()
    new = [item.id for item in items if download.get(root, item, means)]
    try:
        load_new(new, means.tell, load)
    except TtsctlError as error:
        message = f"{', '.join(new)}: installed, but not to be loaded: {error.message}"
        raise type(error)(message) from error
    return report([item.id for item in items], new)
