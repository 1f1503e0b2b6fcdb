"""The HTTP API under /v1 and the pages: `server.create_app` makes the app of a house, `server.run` serves it."""
