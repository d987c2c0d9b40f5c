"""Recognition with a model folder; needs ONNX Runtime and no PyTorch."""
