"""What the project brings along, and the scripts that made it."""
