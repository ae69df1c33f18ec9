"""What trained networks are to other programs: ONNX and torch.export files, checkpoints of the released code."""
