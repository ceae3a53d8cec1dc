"""The Kokoro engine: phonemes by misaki or espeak-ng, sound by onnxruntime or torch."""
