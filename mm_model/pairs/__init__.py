"""Which reference picture stands for which target: synthesis of references and choice of pairs."""
