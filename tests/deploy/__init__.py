"""What deploy/ holds, built and run."""
