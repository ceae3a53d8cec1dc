"""Kokoro's network, written again so that it exports to a graph that is exact and quick.

The weights and layers are those of the `kokoro` package's `KModel`; only the way through them is
ours. It differs from the package's own export in four respects:

- The inverse Fourier transform is exact. The package's, for want of complex numbers in ONNX, leaves
  out the doubling of the inner bins and the division by the sum of the windows.
- The noise of the source is an input, tiled over time, so that equal requests sound alike. Nine
  independent noises, one a harmonic, are merged by a linear layer: the sum is one normal noise, and
  one is what is asked for.
- The phase is summed in double precision, as torch does inside; onnxruntime would sum in single.
- Convolutions are two-dimensional with a height of one, for which onnxruntime has faster kernels,
  and the style goes into the normalisation as its scale and shift: one pass instead of three.

Runs only while exporting.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere
from torch.nn.utils import remove_weight_norm

from ttsctl.engines.kokoro.stft import Stft

_STYLE_WIDTH = 128  # the first half of a style is the decoder's, the second the prosody's


class ExportableKokoro(nn.Module):
    """A `KModel` to be exported; it takes the model over and changes it.

    Inputs: `input_ids` int64 (1, n), phonemes between two zeros; `style` float32 (1, 256); `speed`
    float32 (1); `noise` float32 (k), normal, any length. Outputs: `waveform` float32 (samples);
    `durations` int64 (n), in frames of 600 samples, as spoken; `plain_durations`, the same at
    speed 1.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        for module in model.modules():
            if hasattr(module, "weight_g"):
                remove_weight_norm(module)
        self.model = model
        generator = model.decoder.generator
        self.source = _Source(generator)
        self.stft = Stft(generator.post_n_fft, generator.stft.hop_length)

    def forward(
        self, input_ids: Tensor, style: Tensor, speed: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the waveform, the durations, and the durations at speed 1."""
        predictor = self.model.predictor
        voice, prosody = style[:, :_STYLE_WIDTH], style[:, _STYLE_WIDTH:]
        encoded = self._encode_prosody(input_ids, prosody)
        logits = predictor.duration_proj(predictor.lstm(encoded)[0])
        plain = torch.sigmoid(logits).sum(2)[0]
        durations = _whole_frames(plain / speed)
        ends = torch.cumsum(durations, 0)
        # Which phoneme each frame belongs to; the package multiplies by a matrix of zeros and ones.
        owner = (_up_to(ends[-1])[:, None] >= ends[None]).sum(1)
        pitch, energy = self._prosody(encoded[:, owner], prosody)
        aligned = _wide(self._encode_text(input_ids)[:, owner])
        waveform = self._decode(aligned, pitch, energy, voice, noise)
        return waveform, durations, _whole_frames(plain)

    def _encode_prosody(self, input_ids: Tensor, style: Tensor) -> Tensor:
        x: Tensor = self.model.bert_encoder(self.model.bert(input_ids))
        everywhere = style[:, None].expand(1, input_ids.shape[1], -1)
        x = torch.cat([x, everywhere], 2)
        for layer in self.model.predictor.text_encoder.lstms:
            if isinstance(layer, nn.LSTM):
                x = layer(x)[0]
            else:
                x = torch.cat([layer(x, style), everywhere], 2)
        return x

    def _encode_text(self, input_ids: Tensor) -> Tensor:
        encoder = self.model.text_encoder
        x = encoder.embedding(input_ids).transpose(1, 2)
        for block in encoder.cnn:
            x = block(x)
        encoded: Tensor = encoder.lstm(x.transpose(1, 2))[0]
        return encoded

    def _prosody(self, x: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Return pitch in Hz and energy, two values a frame, each (1, 1, 1, 2 frames)."""
        predictor = self.model.predictor
        x = _wide(predictor.shared(x)[0])
        pitch = energy = x
        for block in predictor.F0:
            pitch = _block(block, pitch, style)
        for block in predictor.N:
            energy = _block(block, energy, style)
        return _conv(predictor.F0_proj, pitch), _conv(predictor.N_proj, energy)

    def _decode(
        self, aligned: Tensor, pitch: Tensor, energy: Tensor, style: Tensor, noise: Tensor
    ) -> Tensor:
        decoder = self.model.decoder
        low = torch.cat([_conv(decoder.F0_conv, pitch), _conv(decoder.N_conv, energy)], 1)
        x = _block(decoder.encode, torch.cat([aligned, low], 1), style)
        extra = torch.cat([_conv(decoder.asr_res[0], aligned), low], 1)
        for block in decoder.decode:
            x = _block(block, torch.cat([x, extra], 1), style)
        return self._generate(x, self.source(pitch[:, :, 0], noise), style)

    def _generate(self, x: Tensor, source: Tensor, style: Tensor) -> Tensor:
        generator = self.model.decoder.generator
        harmonics = self.stft.transform(source)
        kernels = generator.num_kernels
        for step in range(generator.num_upsamples):
            x = _conv_transpose(generator.ups[step], F.leaky_relu(x, 0.1))
            if step == generator.num_upsamples - 1:
                x = F.pad(x, (1, 0, 0, 0), mode="reflect")
            added = _conv(generator.noise_convs[step], harmonics)
            x = x + _resblock(generator.noise_res[step], added, style)
            blocks = generator.resblocks[step * kernels : (step + 1) * kernels]
            sums = [_resblock(block, x, style) for block in blocks]
            x = sum(sums[1:], sums[0]) / kernels
        x = _conv(generator.conv_post, F.leaky_relu(x))
        bins = generator.post_n_fft // 2 + 1
        return self.stft.inverse(torch.exp(x[:, :bins]), torch.sin(x[:, bins:]))


class _Source(nn.Module):
    """The harmonics of the pitch and noise: hn-nsf (Wang, Takaki, Yamagishi 2019) as Kokoro has it.

    The random initial phases of the package's have no effect: they are set at a sample that its
    interpolation never reads.
    """

    order: Tensor
    merged_level: Tensor

    def __init__(self, generator: Any) -> None:
        super().__init__()
        module = generator.m_source
        sines = module.l_sin_gen
        self.scale = float(sines.upsample_scale)
        self.sine_level, self.noise_level = sines.sine_amp, sines.noise_std
        self.threshold, self.rate = sines.voiced_threshold, sines.sampling_rate
        self.merge = module.l_linear
        order = torch.arange(1, sines.harmonic_num + 2).float()[None, :, None]
        self.register_buffer("order", order)
        self.register_buffer("merged_level", module.l_linear.weight.detach().norm())

    def forward(self, pitch: Tensor, noise: Tensor) -> Tensor:
        """Return (1, 1, samples) from the pitch in Hz, (1, 1, 2 frames)."""
        turns = pitch * self.order / self.rate
        turns = torch.cumsum((turns - torch.floor(turns)).double(), 2).float()
        phase = turns * 2 * math.pi * self.scale
        sines = self.sine_level * torch.sin(
            F.interpolate(phase, scale_factor=self.scale, mode="linear")
        )
        voiced = F.interpolate((pitch > self.threshold).float(), scale_factor=self.scale)
        level = voiced * self.noise_level + (1 - voiced) * self.sine_level / 3
        tiled = noise[torch.arange(voiced.shape[2]) % noise.shape[0]]
        merged = F.conv1d(sines * voiced, self.merge.weight[:, :, None], self.merge.bias)
        return torch.tanh(merged + level * self.merged_level * tiled)


def _up_to(end: Tensor) -> Tensor:
    # Not int(end): the exported graph would have the number of the example in it.
    return torch.arange(end)  # type: ignore[call-overload, no-any-return]


def _whole_frames(durations: Tensor) -> Tensor:
    return torch.round(durations).clamp(min=1).long()


def _wide(x: Tensor) -> Tensor:
    """Return (1, channels, 1, time) from (1, time, channels)."""
    return x.transpose(1, 2)[:, :, None]


def _conv(layer: nn.Conv1d, x: Tensor, gain: Tensor | None = None) -> Tensor:
    """Convolve `x`, whose channels are first multiplied by `gain`."""
    weight = layer.weight[:, :, None] if gain is None else layer.weight[:, :, None] * gain
    (stride,), (dilation,) = layer.stride, layer.dilation
    padding = (0, int(layer.padding[0]))
    return F.conv2d(x, weight, layer.bias, (1, stride), padding, (1, dilation), layer.groups)


def _conv_transpose(layer: nn.ConvTranspose1d, x: Tensor) -> Tensor:
    # Not in two dimensions: onnxruntime has no faster kernel for it.
    return layer(x[:, :, 0])[:, :, None]  # type: ignore[no-any-return]


def _norm(layer: Any, x: Tensor, style: Tensor, gain: Tensor | float = 1.0) -> Tensor:
    """Instance normalisation whose scale and shift the style decides (`AdaIN1d`), times `gain`."""
    scale, shift = layer.fc(style)[0].chunk(2)
    norm = layer.norm
    scale = 1 + scale
    weight, bias = gain * scale * norm.weight, gain * (scale * norm.bias + shift)
    return F.instance_norm(x, weight=weight, bias=bias, eps=norm.eps)


def _resblock(block: Any, x: Tensor, style: Tensor) -> Tensor:
    """`AdaINResBlock1`: residual blocks with the snake activation (Liu, Hartwig, Ueda 2020).

    The snake of y, y + sin(a y)**2 / a, is (z + sin(z)**2) / a with z = a y. The factors go into
    the normalisation before and the convolution after it, which saves two passes over the sound.
    """
    convolutions = zip(block.convs1, block.convs2, strict=True)
    norms = zip(block.adain1, block.adain2, strict=True)
    alphas = zip(block.alpha1, block.alpha2, strict=True)
    for pair, pair_norms, pair_alphas in zip(convolutions, norms, alphas, strict=True):
        y = x
        for convolution, norm, alpha in zip(pair, pair_norms, pair_alphas, strict=True):
            z = _norm(norm, y, style, alpha[0, :, 0])
            sine = torch.sin(z)
            y = _conv(convolution, z + sine * sine, 1 / alpha[:, :, None])
        x = x + y
    return x


def _block(block: Any, x: Tensor, style: Tensor) -> Tensor:
    """`AdainResBlk1d`: a residual block that may double the length."""
    doubles = block.upsample_type != "none"
    y = F.leaky_relu(_norm(block.norm1, x, style), 0.2)
    if doubles:
        y = _conv_transpose(block.pool, y)
        x = F.interpolate(x, scale_factor=(1.0, 2.0))
    y = _conv(block.conv1, y)
    y = _conv(block.conv2, F.leaky_relu(_norm(block.norm2, y, style), 0.2))
    if block.learned_sc:
        x = _conv(block.conv1x1, x)
    return (x + y) * math.sqrt(0.5)
