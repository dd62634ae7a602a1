"""The boneage command: one pipeline from radiographs to bone age."""
