"""Recognise with a model folder: no PyTorch, ONNX Runtime alone."""
