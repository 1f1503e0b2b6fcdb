"""From a source to the raw table: declared columns, staging, what is known of each key."""
