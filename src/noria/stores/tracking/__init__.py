"""What makes runs repeatable and quick to look through: columnar runs, source archives, environments, fitted parts."""
