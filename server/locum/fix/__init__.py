"""Moving values out of texts: plan, store and read back, then edit, then declare. What editor, command and agents share."""
