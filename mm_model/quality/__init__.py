"""Great Expectations suites, one per stage output, and the judge that runs them."""
