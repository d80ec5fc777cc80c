"""Packs of a voice that other programs open: ONNX, sherpa-onnx, Piper, original VITS."""
