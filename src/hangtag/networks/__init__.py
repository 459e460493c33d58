"""The networks that can be trained: backbones by name, and the heads on top of them. Needs the extra `train`."""
