"""Model files: reading, writing and verifying ONNX files with a card inside."""
