"""Reading a catalogue, however it lies on disk."""
