"""What Clients have to do, chapter by chapter of the standard; a file is loaded for its checks."""
