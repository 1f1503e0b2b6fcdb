"""Where the row functions run: in this process or on Spark."""
