"""The outside: command line, HTTP API, pages, settings, wiring."""
