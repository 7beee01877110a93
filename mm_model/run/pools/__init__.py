"""Pools: where the items of a stage are worked on. `port` says what one is, `table` opens one."""
