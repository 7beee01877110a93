"""How an identity enters a frozen transformer: the port, what every way shares, and the table."""
