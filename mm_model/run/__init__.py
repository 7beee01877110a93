"""The seven stages and the contract they share; a stage never imports another stage."""
