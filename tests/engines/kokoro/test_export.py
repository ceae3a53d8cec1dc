"""The exported model is the model."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ttsctl.engines.kokoro.model import CONFIG, GRAPH, WEIGHTS, graph_file
from ttsctl.engines.sessions import open_session
from ttsctl.errors import ModelNotFoundError, NotInstalledError

pytestmark = pytest.mark.slow

NOISE = np.random.default_rng(0).standard_normal(50_000, np.float32)


@pytest.fixture(name="original", scope="module")
def _original(root: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ttsctl.engines.kokoro.weights import load_model
    return load_model(root / "model" / CONFIG, root / "model" / WEIGHTS)


@pytest.fixture(name="session", scope="module")
def _session(root: Path) -> Any:
    return open_session(root / "model" / GRAPH)


def request(count: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(count)
    ids = rng.integers(1, 170, (1, count))
    return ids, (rng.standard_normal((1, 256)) * 0.1).astype(np.float32)


def merged_noise(original: Any) -> Any:
    """Return torch's source of noise, replaced: nine noises which merge into ours."""
    import torch

    weights = original.decoder.generator.m_source.l_linear.weight.detach()
    shares = weights / weights.norm()
    plain = torch.randn_like

    def randn_like(like: Any, **options: Any) -> Any:
        if like.shape[-1] != shares.shape[-1]:
            return plain(like, **options)
        return (
            torch.from_numpy(NOISE)[torch.arange(like.shape[1]) % len(NOISE)][:, None] * shares
        )[None]

    return randn_like


@pytest.mark.parametrize(("count", "speed"), [(3, 1.0), (24, 0.7), (60, 1.0), (24, 1.5)])
def test_has_the_durations_and_the_sound_of_the_original(
    original: Any, session: Any, count: int, speed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phase of the source is a sum over the whole sound, and the network is not trained: it
    makes much of the last bit of a pitch. So close is said of the whole, not of each sample."""
    import torch

    monkeypatch.setattr(torch, "randn_like", merged_noise(original))
    ids, style = request(count)
    expected, durations = original.forward_with_tokens(
        torch.from_numpy(ids), torch.from_numpy(style), speed
    )
    samples, found, _ = session.run(
        None,
        {"input_ids": ids, "style": style, "speed": np.array([speed], np.float32), "noise": NOISE},
    )
    assert found.tolist() == durations.tolist()
    assert len(samples) == len(expected) == 600 * found.sum()
    assert np.corrcoef(samples, expected)[0, 1] > 0.9
    assert np.sqrt((samples**2).mean()) == pytest.approx(
        float(expected.square().mean().sqrt()), 0.05
    )


def test_the_way_through_the_layers_is_exact_in_torch(
    root: Path, original: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same arithmetic our forward and the package's differ by rounding alone."""
    import torch

    from ttsctl.engines.kokoro.exportable import ExportableKokoro
    from ttsctl.engines.kokoro.weights import load_model

    ours = ExportableKokoro(load_model(root / "model" / CONFIG, root / "model" / WEIGHTS)).eval()
    monkeypatch.setattr(torch, "randn_like", merged_noise(original))
    ids, style = (torch.from_numpy(each) for each in request(24))
    with torch.no_grad():
        expected, durations = original.forward_with_tokens(ids, style, 1.0)
        samples, found, plain = ours(ids, style, torch.ones(1), torch.from_numpy(NOISE))
    assert found.tolist() == plain.tolist() == durations.tolist()
    assert float((samples - expected).abs().median()) < 0.02 * float(expected.abs().median())


def test_equal_requests_sound_alike_to_the_bit(session: Any) -> None:
    ids, style = request(20)
    feed = {"input_ids": ids, "style": style, "speed": np.ones(1, np.float32), "noise": NOISE}
    assert np.array_equal(session.run(None, feed)[0], session.run(None, feed)[0])


def test_the_transform_is_torchs_and_its_inverse_exact() -> None:
    import torch

    from ttsctl.engines.kokoro.stft import Stft

    sound = torch.randn(1, 1, 600, generator=torch.Generator().manual_seed(1))
    ours = Stft(20, 5)
    found = ours.transform(sound)
    window = torch.hann_window(20)
    expected = torch.stft(sound[:, 0], 20, 5, window=window, return_complex=True)
    torch.testing.assert_close(found[:, :11, 0], expected.abs(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        ours.inverse(found[:, :11], found[:, 11:]), sound[0, 0], atol=1e-5, rtol=0
    )


def test_a_model_that_is_there_is_not_exported(tmp_path: Path) -> None:
    (tmp_path / GRAPH).write_bytes(b"")
    assert graph_file(tmp_path, refuse) == tmp_path / GRAPH


def test_a_folder_without_a_model_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="ttsctl voices get kokoro"):
        graph_file(tmp_path, refuse)


def test_the_graph_of_another_process_is_taken(tmp_path: Path) -> None:
    """It waits for the lock and then finds that nothing is left to do."""
    import threading

    from ttsctl.files import locked

    (tmp_path / WEIGHTS).write_bytes(b"")
    with locked(tmp_path / ".export.lock", "export"):
        found: list[Path] = []
        thread = threading.Thread(target=lambda: found.append(graph_file(tmp_path, refuse)))
        thread.start()
        (tmp_path / GRAPH).write_bytes(b"")
    thread.join(5)
    assert found == [tmp_path / GRAPH]


def test_weights_that_are_something_else_are_refused(root: Path, tmp_path: Path) -> None:
    import torch

    from ttsctl.engines.kokoro.weights import load_model

    config = root / "model" / CONFIG
    torch.save({"decoder": {}}, tmp_path / "empty.pth")
    (tmp_path / "cut.pth").write_bytes((root / "model" / WEIGHTS).read_bytes()[:100_000])
    for name in ("empty.pth", "cut.pth"):
        with pytest.raises(ModelNotFoundError, match=name):
            load_model(config, tmp_path / name)


def test_without_torch_the_export_says_what_to_install(root: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / WEIGHTS).write_bytes(b"")
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from ttsctl.engines.kokoro.model import graph_file\n"
        "try: graph_file(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(NotInstalledError.__name__)
    assert "pip install 'ttsctl[kokoro]'" in done.stdout


def refuse(_folder: Path, _graph: Path) -> None:
    raise AssertionError("exported without need")
