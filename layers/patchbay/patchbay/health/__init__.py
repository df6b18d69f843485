"""Events and health: what happened to the integrations of a space, counted exactly."""
