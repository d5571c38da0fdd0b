"""What AI clients ask before and after they act: one neutral event, one verdict, one adapter a client."""
