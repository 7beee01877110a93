"""Scripts that train the embedded default's tiny weights; never needed to run the pipeline."""
