"""Great Expectations suites, one per stage output, and the audit that runs them."""
