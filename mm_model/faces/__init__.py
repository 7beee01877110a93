"""The stage `faces`: who is in each sample, where the face is, and what is wrong with it."""
