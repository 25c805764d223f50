"""The checks of codecs: byte vectors, by the rule that they show."""
