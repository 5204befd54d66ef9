"""A paper of two small trainings, for the tests of the run engine."""
