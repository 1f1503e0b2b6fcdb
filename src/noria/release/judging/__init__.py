"""What judges a candidate: the data contract, fresh labels, and the wording of what they say."""
