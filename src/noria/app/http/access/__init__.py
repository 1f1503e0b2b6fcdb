"""Who comes in: the table of rights, the gate before the app, and signing in."""
