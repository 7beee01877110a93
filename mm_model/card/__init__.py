"""The dataset card: a page of a dataset's version, its filters, people, rights and drift."""
