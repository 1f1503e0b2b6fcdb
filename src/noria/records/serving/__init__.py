"""Records of serving: hand-overs on their way to a help desk, challengers on their way to go live."""
