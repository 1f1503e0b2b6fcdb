"""What several criteria count: classes and their confusions, ranks of right articles."""
