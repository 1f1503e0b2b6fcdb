"""Commands of the update room."""
