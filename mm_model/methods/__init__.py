"""Ways to give a clip an identity, behind one port: enrol a subject, generate shots of subjects."""
