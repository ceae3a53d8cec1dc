"""Options that more than one command has, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Voice = Annotated[
    str,
    typer.Option(
        "--voice", "-v", metavar="VOICE", help="engine:name, a name, or auto: the best installed."
    ),
]
Language = Annotated[
    str | None,
    typer.Option("--lang", "-l", metavar="LANG", help="Language of the text, as in en-gb."),
]
Speed = Annotated[
    float,
    typer.Option(
        "--speed", "-s", metavar="X", min=0.25, max=4, help="0.25 to 4; larger is faster."
    ),
]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="F", help="wav, opus, mp3, flac, pcm, ulaw or alaw."),
]
SampleRate = Annotated[
    int | None,
    typer.Option("--sample-rate", metavar="HZ", help="Resample to this rate."),
]
Bitrate = Annotated[
    int | None,
    typer.Option("--bitrate", metavar="BPS", help="Bits a second, for opus and mp3."),
]
SentenceSilence = Annotated[
    float | None,
    typer.Option(
        "--sentence-silence", metavar="S", min=0, max=60, help="Seconds of pause after a sentence."
    ),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the cache.")]
Refresh = Annotated[
    bool, typer.Option("--refresh", help="Synthesize anew, and replace what is cached.")
]
Offline = Annotated[
    bool,
    typer.Option("--offline", help="Use no network, as is so anyway: for scripts that insist."),
]
NoFallback = Annotated[
    bool, typer.Option("--no-fallback", help="Fail where the voice does; let no other step in.")
]
EngineOptions = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="For the engine; may be given repeatedly."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        min=1,
        max=256,
        help="Processes; default: physical cores.",
    ),
]
Threads = Annotated[
    int,
    typer.Option("--threads", metavar="N", min=1, max=256, help="Threads of the engine in each."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Folder = Annotated[
    Path | None,
    typer.Option("--output-dir", "-d", metavar="DIR", help="Where the files go."),
]
