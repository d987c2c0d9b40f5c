"""The kinds of model: networks and estimators, their layers, ONNX export."""
