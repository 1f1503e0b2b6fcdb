"""Sources of raw rows (`noria.ports.source`): files, a SQL database, the journal."""
