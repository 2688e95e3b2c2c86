"""What must hold for any input: Hypothesis looks for a counterexample."""
