"""What a run did, as one page with plots and players."""
