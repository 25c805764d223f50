"""Mutation testing of the suite itself: spoil one thing in the package, and see whether a test notices."""
