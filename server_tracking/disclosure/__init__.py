"""Say which data goes to which company, for the notice that visitors read."""
