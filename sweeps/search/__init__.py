"""The search space and the samplers that draw settings from it."""
