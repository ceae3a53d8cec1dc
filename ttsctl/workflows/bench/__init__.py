"""How fast it is here: scenarios that a user feels, measured."""
