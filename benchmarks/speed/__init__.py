"""How fast a build is, beside pyts, the earlier system and the limits of the memory."""
