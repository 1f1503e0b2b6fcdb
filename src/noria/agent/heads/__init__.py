"""The learnt parts of the agent: n-grams, intent, scope, confidence."""
