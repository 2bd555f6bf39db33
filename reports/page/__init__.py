"""Pictures and downloads of the one HTML file."""
