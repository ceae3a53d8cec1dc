"""Piper voices on onnxruntime: sound before the sentence is finished, at its own loudness."""
