"""How often a prediction from a ladder alone holds."""
