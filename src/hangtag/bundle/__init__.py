"""What a model is: one ONNX file with its card inside. Read, written and verified here."""
