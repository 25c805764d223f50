"""The kit proves itself: correct subjects, and many that are wrong in one thing, which the checks have to find."""
