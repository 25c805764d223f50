"""The checks of Servers, by chapter; each module is imported for what it registers."""
