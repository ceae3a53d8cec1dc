"""Options that more than one command has, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

Voice = Annotated[
    str,
    typer.Option(
        "--voice", "-v", metavar="VOICE", help="engine:name, a name, or auto: the best installed."
    ),
]
Language = Annotated[
    Optional[str],
    typer.Option("--lang", "-l", metavar="LANG", help="Language of the text, as in en-gb."),
]
Speed = Annotated[
    float,
    typer.Option("--speed", "-s", metavar="X", help="0.25 to 4; larger is faster."),
]
Format = Annotated[
    Optional[str],
    typer.Option("--format", metavar="F", help="wav, opus, mp3, flac, pcm, ulaw or alaw."),
]
SampleRate = Annotated[
    Optional[int],
    typer.Option("--sample-rate", metavar="HZ", help="Resample to this rate."),
]
Bitrate = Annotated[
    Optional[int],
    typer.Option("--bitrate", metavar="BPS", help="Bits a second, for opus and mp3."),
]
SentenceSilence = Annotated[
    Optional[float],
    typer.Option("--sentence-silence", metavar="S", help="Seconds of pause after a sentence."),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Neither read nor write the cache.")
]
Refresh = Annotated[
    bool, typer.Option("--refresh", help="Synthesize anew, and replace what is cached.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Jobs = Annotated[
    Optional[int],
    typer.Option(
        "--jobs", "-j", metavar="N", min=1, help="Worker processes; default: physical cores."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Folder = Annotated[
    Optional[Path],
    typer.Option("--output-dir", "-d", metavar="DIR", help="Where the files go."),
]
