"""The messages of protocols that checks speak, without any I/O."""
