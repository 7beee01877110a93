"""The stage `register`: releases, the rule that promotes them, pins, and the shelf of packages."""
