"""What strangers, a full disk and bad luck can do; SECURITY.md lists it."""
