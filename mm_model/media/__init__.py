"""Reading and writing photographs and clips; untrusted bytes are decoded in a child process."""
