"""The Fourier transform of the vocoder as ONNX can have it. Runs only while exporting."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

_TINY = 1e-20  # keeps the phase of a silent bin from being 0/0


class Stft(nn.Module):
    """The short-time Fourier transform and its exact inverse, as convolutions.

    Equals `torch.stft` and `torch.istft` with a periodic Hann window and centred frames.
    """

    analysis: Tensor
    synthesis: Tensor
    overlap: Tensor

    def __init__(self, size: int, hop: int) -> None:
        super().__init__()
        self.size, self.hop = size, hop
        window = torch.hann_window(size, dtype=torch.float64)
        bins = torch.arange(size // 2 + 1, dtype=torch.float64)[:, None]
        angle = 2 * math.pi * bins * torch.arange(size, dtype=torch.float64) / size
        real, imaginary = torch.cos(angle), -torch.sin(angle)
        imaginary[[0, -1]] = 0.0  # exactly; the sine of a multiple of pi is not
        share = torch.full_like(bins, 2 / size)
        share[[0, -1]] = 1 / size
        both = torch.cat([real, imaginary]) * window
        self.register_buffer("analysis", both.float()[:, None])
        self.register_buffer("synthesis", (both * torch.cat([share, share])).float()[:, None])
        self.register_buffer("overlap", (window * window).float()[None, None])

    def transform(self, x: Tensor) -> Tensor:
        """Return magnitudes and then phases: (1, size + 2, 1, frames) from (1, 1, samples)."""
        x = F.pad(x, (self.size // 2, self.size // 2), mode="reflect")
        real, imaginary = F.conv1d(x, self.analysis, stride=self.hop).chunk(2, 1)
        magnitude = torch.sqrt(real * real + imaginary * imaginary)
        safe = torch.where(real == 0, torch.full_like(real, _TINY), real)
        phase = torch.atan2(imaginary, safe)
        # ONNX has no atan2; what torch puts in its place says -pi here.
        is_negative = (imaginary == 0) & (real < 0)
        phase = torch.where(is_negative, torch.full_like(phase, math.pi), phase)
        return torch.cat([magnitude, phase], 1)[:, :, None]

    def inverse(self, magnitude: Tensor, phase: Tensor) -> Tensor:
        """Return the samples, (samples), from two of (1, bins, 1, frames)."""
        parts = torch.cat([magnitude * torch.cos(phase), magnitude * torch.sin(phase)], 1)[:, :, 0]
        x = F.conv_transpose1d(parts, self.synthesis, stride=self.hop)
        weight = F.conv_transpose1d(torch.ones_like(parts[:, :1]), self.overlap, stride=self.hop)
        half = self.size // 2
        return (x[..., half:-half] / weight[..., half:-half])[0, 0]
