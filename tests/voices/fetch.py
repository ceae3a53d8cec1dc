"""Fetches one item in a process of its own, as `ttsctl voices get` would: argv[1] describes it."""

from __future__ import annotations

import json
import sys

from ttsctl.errors import TtsctlError
from ttsctl.settings import voices_folder
from ttsctl.voices.download import Means, get
from ttsctl.voices.known import KnownFile, KnownItem


def main() -> None:
    described = json.loads(sys.argv[1])
    described["files"] = tuple(KnownFile(**file) for file in described["files"])
    means = Means(
        lambda message: print(message, file=sys.stderr, flush=True),
        lambda file, size_bytes: print(file.name, size_bytes, file=sys.stderr, flush=True),
        free_bytes=lambda folder: int(sys.argv[2]),
    )
    try:
        answer = {"is_new": get(voices_folder(), KnownItem(**described), means)}
    except TtsctlError as error:
        answer = {"code": error.code, "message": error.message}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
