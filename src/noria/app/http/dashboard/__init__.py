"""The pages on which people watch: findings, slices, queries, labels, releases, backlog."""
